//! What each key does.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::app::{App, Mode, Then, View};

/// The keys and their meanings, for the help.
pub(super) const HELP: [(&str, &str); 13] = [
    ("Up Down PgUp PgDn", "move (also k, j)"),
    ("Home End", "the first, the last"),
    ("Enter", "real servers of a service"),
    ("c", "connections"),
    ("Esc, Left", "back"),
    ("s, S", "sort by the next column, by the one before"),
    ("r", "turn the order round"),
    ("/", "search; Enter ends it, Esc forgets it"),
    ("p", "only services that are not up"),
    ("+ -", "weight of a real server"),
    ("d", "drain a real server, or end that"),
    ("?", "this help"),
    ("q", "quit"),
];

/// Follows a key.
pub(super) fn press(app: &mut App, key: KeyEvent) -> Then {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return if key.code == KeyCode::Char('c') { Then::Quit } else { Then::Nothing };
    }
    match std::mem::replace(&mut app.mode, Mode::Move) {
        Mode::Move => moving(app, key.code),
        Mode::Search => typing(app, key.code),
        Mode::Confirm(_, change) if key.code == KeyCode::Char('y') => Then::Change(change),
        Mode::Confirm(..) => {
            "nothing was changed".clone_into(&mut app.said);
            Then::Nothing
        }
        Mode::Help => Then::Nothing,
    }
}

fn moving(app: &mut App, key: KeyCode) -> Then {
    app.said.clear();
    let page = app.rows.max(2) - 1;
    match key {
        KeyCode::Char('q') => return Then::Quit,
        KeyCode::Up | KeyCode::Char('k') => return app.mark(app.marked.saturating_sub(1)),
        KeyCode::Down | KeyCode::Char('j') => return app.mark(app.marked + 1),
        KeyCode::PageUp => return app.mark(app.marked.saturating_sub(page)),
        KeyCode::PageDown => return app.mark(app.marked + page),
        KeyCode::Home => return app.mark(0),
        KeyCode::End => return app.mark(usize::MAX),
        KeyCode::Enter | KeyCode::Right => return deeper(app),
        KeyCode::Esc | KeyCode::Left | KeyCode::Backspace => return back(app),
        KeyCode::Char('c') => return connections(app),
        KeyCode::Char('?' | 'h') => app.mode = Mode::Help,
        KeyCode::Char('+' | '=' | '-' | 'd') if app.read_only => {
            "this top changes nothing: it was started with --read-only".clone_into(&mut app.said);
        }
        KeyCode::Char('+' | '=') => app.weigh(1),
        KeyCode::Char('-') => app.weigh(-1),
        KeyCode::Char('d') => app.drain(),
        key if app.view == View::Services => return listing(app, key),
        _ => {}
    }
    Then::Nothing
}

/// Keys of the services' table alone.
fn listing(app: &mut App, key: KeyCode) -> Then {
    match key {
        KeyCode::Char(letter @ ('s' | 'S')) => app.sort = app.sort.step(letter == 'S'),
        KeyCode::Char('r') => app.reverse = !app.reverse,
        KeyCode::Char('p') => app.problems = !app.problems,
        KeyCode::Char('/') => {
            app.mode = Mode::Search;
            return Then::Nothing;
        }
        _ => return Then::Nothing,
    }
    app.rewind()
}

fn typing(app: &mut App, key: KeyCode) -> Then {
    match key {
        KeyCode::Enter => return Then::Nothing,
        KeyCode::Esc => app.search.clear(),
        KeyCode::Backspace => {
            app.search.pop();
            app.mode = Mode::Search;
        }
        KeyCode::Char(letter) if app.search.len() < 100 => {
            app.search.push(letter);
            app.mode = Mode::Search;
        }
        _ => {
            app.mode = Mode::Search;
            return Then::Nothing;
        }
    }
    app.rewind()
}

fn deeper(app: &mut App) -> Then {
    match (&app.view, app.service()) {
        (View::Services, Some(service)) => {
            let name = service.name.clone();
            app.show(View::Service(name))
        }
        (View::Service(_), Some(_)) => connections(app),
        _ => Then::Nothing,
    }
}

fn connections(app: &mut App) -> Then {
    let Some(service) = app.service().map(|service| service.name.clone()) else { return Then::Nothing };
    let real_server = app.real_server().map(|server| server.status.address.to_string());
    if matches!(app.view, View::Connections { .. }) {
        return Then::Nothing;
    }
    app.show(View::Connections { service, real_server })
}

fn back(app: &mut App) -> Then {
    match &app.view {
        View::Services => Then::Nothing,
        View::Service(_) | View::Connections { real_server: None, .. } => app.show(View::Services),
        View::Connections { service, .. } => {
            let service = service.clone();
            app.show(View::Service(service))
        }
    }
}
