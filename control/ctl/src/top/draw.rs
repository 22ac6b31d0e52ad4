//! The screen: how the director is, a table, and a line of what keys do.

use ratatui::Frame;
use ratatui::layout::{Alignment, Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Clear, Paragraph, Row, Table};
use ulvs_api::{Connection, LiveRealServer, LiveService, Sample};

use super::app::{App, Mode, View, now};
use super::keys::HELP;
use super::words::{bar, bits, percent, rate};
use crate::units::{count, span, timer};

/// Everything there is to see.
pub(super) fn all(app: &App, frame: &mut Frame<'_>) {
    let areas = [2, app.worker_lines(), 1, 1].map(Constraint::Length);
    let [head, workers, drops, title, table, last] =
        Layout::vertical(areas.into_iter().chain([Constraint::Min(2), Constraint::Length(1)]).collect::<Vec<_>>())
            .areas(frame.area());
    frame.render_widget(Paragraph::new(summary(app)), head);
    self::workers(app, frame, workers);
    frame.render_widget(Paragraph::new(self::drops(app)), drops);
    frame.render_widget(Paragraph::new(self::title(app)).style(Style::new().add_modifier(Modifier::BOLD)), title);
    self::table(app, frame, table);
    frame.render_widget(Paragraph::new(self::last(app)), last);
    if app.mode == Mode::Help {
        help(frame);
    }
}

fn summary(app: &App) -> Text<'static> {
    let Some(seen) = &app.seen else { return Text::from(vec![Line::from("asking ulvsd ..."), trouble(app)]) };
    let status = &seen.live.status;
    let (last, totals) = (seen.live.samples.last(), &seen.services.totals);
    let rates = last.map(|sample| sample.rates);
    let first = format!(
        "ulvsd {}, up {}   services {}, down {}, degraded {}, real servers {}",
        status.version,
        span(status.uptime_seconds),
        totals.services,
        totals.down,
        totals.degraded,
        totals.real_servers,
    );
    let second = format!(
        "packets/s {}  bit/s {}  new/s {}  connections {} of {}",
        rate(rates.map(|rates| rates.packets())),
        bits(rates.map(|rates| rates.bytes())),
        rate(rates.map(|rates| rates.connections)),
        count(status.connections.live),
        count(status.connections.capacity),
    );
    let second = if app.trouble.is_some() { trouble(app) } else { Line::from(second) };
    Text::from(vec![Line::from(first), second])
}

/// Since when what is shown is old.
fn trouble(app: &App) -> Line<'static> {
    let Some((since, why)) = &app.trouble else { return Line::default() };
    let text = format!("OLD for {}: {why}", span(now().saturating_sub(*since)));
    Line::styled(text, Style::new().fg(Color::Red).add_modifier(Modifier::BOLD))
}

fn workers(app: &App, frame: &mut Frame<'_>, area: Rect) {
    let Some(seen) = &app.seen else { return };
    let (workers, last) = (&seen.live.status.workers, seen.live.samples.last());
    let half = usize::from(area.width) / 2;
    let width = half.saturating_sub(30).clamp(4, 40);
    let cell = |id: usize, core: usize| {
        let load = last.and_then(|sample| sample.workers.get(id)).copied().unwrap_or_default();
        let (bar, busy, packets) = (bar(load.busy, width), percent(load.busy), rate(Some(load.packets_in)));
        let colour = match load.busy {
            busy if busy > 0.9 => Color::Red,
            busy if busy > 0.7 => Color::Yellow,
            _ => Color::Green,
        };
        let head = format!("w{id} core {core} [");
        let end = format!("] {busy:>5} {packets:>6}pps");
        let used = head.len() + width + end.len();
        let gap = " ".repeat(half.saturating_sub(used));
        [Span::raw(head), Span::styled(bar, Style::new().fg(colour)), Span::raw(end + &gap)]
    };
    let lines = workers.chunks(2).map(|pair| pair.iter().flat_map(|worker| cell(worker.id, worker.core)).collect());
    let lines: Vec<Line<'_>> = lines.take(usize::from(area.height)).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

fn drops(app: &App) -> Line<'static> {
    let Some(sample) = app.seen.as_ref().and_then(|seen| seen.live.samples.last()) else { return Line::default() };
    let Sample { drops, punted, .. } = sample;
    let mut worst: Vec<_> = drops.iter().collect();
    worst.sort_by(|one, other| other.1.total_cmp(&one.1));
    let all: f64 = drops.iter().map(|(_, rate)| rate).sum();
    let reasons: Vec<_> =
        worst.iter().take(3).map(|(reason, value)| format!("{reason} {}", rate(Some(*value)))).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    let text = format!("dropped/s {}{reasons}  to the kernel/s {}", rate(Some(all)), rate(Some(*punted)));
    let colour = if all > 0.0 { Color::Yellow } else { Color::Reset };
    Line::styled(text, Style::new().fg(colour))
}

fn title(app: &App) -> String {
    let total = app.total();
    let range = if total == 0 {
        "none".to_owned()
    } else {
        format!("{}-{} of {total}", app.first + 1, (app.first + app.rows).min(total))
    };
    match &app.view {
        View::Services => {
            let order = if app.reverse { ", turned round" } else { "" };
            let search = if app.search.is_empty() { String::new() } else { format!(", with \"{}\"", app.search) };
            let problems = if app.problems { ", not up" } else { "" };
            format!("SERVICES {range}, by {}{order}{search}{problems}", app.sort.word())
        }
        View::Service(name) => {
            let scheduler = app.service().map_or("", |service| &service.status.scheduler);
            format!("{name} {scheduler}: REAL SERVERS {range}")
        }
        View::Connections { service, real_server: None } => format!("{service}: CONNECTIONS {range}"),
        View::Connections { service, real_server: Some(real) } => format!("{service} -> {real}: CONNECTIONS {range}"),
    }
}

fn table(app: &App, frame: &mut Frame<'_>, area: Rect) {
    const NUMBER: Constraint = Constraint::Length(6);
    let wide = Constraint::Min(18);
    let (head, rows, widths): (Vec<&str>, Vec<Row<'_>>, Vec<Constraint>) = match &app.view {
        View::Services => {
            let (from, services) = app.services();
            let shown = services.iter().enumerate().skip(app.first.saturating_sub(from));
            let rows = shown.map(|(place, one)| service(one).style(marked(app, from + place))).collect();
            let head = vec!["STATE", "SERVICE", "SCHED", "SERVERS", "ACTIVE", "NEW/S", "PKT/S", "BIT/S"];
            let widths = [Constraint::Length(9), wide, Constraint::Length(5), Constraint::Length(7)];
            (head, rows, widths.into_iter().chain([NUMBER; 4]).collect())
        }
        View::Service(_) => {
            let servers = app.service().map_or(&[][..], |service| &service.live);
            let shown = servers.iter().enumerate().skip(app.first);
            let rows = shown.map(|(place, one)| real_server(one).style(marked(app, place))).collect();
            let head = vec!["STATE", "REAL SERVER", "FWD", "WEIGHT", "ACTIVE", "INACT", "NEW/S", "PKT/S", "BIT/S"];
            let widths = [Constraint::Length(11), wide, Constraint::Length(4), Constraint::Length(7)];
            (head, rows, widths.into_iter().chain([NUMBER; 5]).collect())
        }
        View::Connections { .. } => {
            let shown = app.shown_connections().enumerate().skip(app.first);
            let rows = shown.map(|(place, one)| connection(one).style(marked(app, place))).collect();
            let widths = vec![Constraint::Length(5), Constraint::Length(12), wide, wide, Constraint::Length(7)];
            (vec!["PROT", "STATE", "CLIENT", "REAL SERVER", "EXPIRES"], rows, widths)
        }
    };
    let heads = head.into_iter().enumerate().map(|(place, name)| {
        let is_number = place > 2 && !matches!(app.view, View::Connections { .. });
        if is_number { right(name.to_owned()) } else { Text::from(name.to_owned()) }
    });
    let header = Row::new(heads.collect::<Vec<_>>()).style(Style::new().add_modifier(Modifier::REVERSED));
    frame.render_widget(Table::new(rows, widths).header(header), area);
}

fn service(one: &LiveService) -> Row<'static> {
    let servers = if one.usable == one.size { one.size.to_string() } else { format!("{}/{}", one.usable, one.size) };
    Row::new([
        state(&one.state),
        Text::from(one.name.clone()),
        Text::from(one.status.scheduler.to_string()),
        right(servers),
        right(count(one.active_connections)),
        right(rate(one.rates.map(|rates| rates.connections))),
        right(rate(one.rates.map(|rates| rates.packets()))),
        right(bits(one.rates.map(|rates| rates.bytes()))),
    ])
}

fn real_server(one: &LiveRealServer) -> Row<'static> {
    let status = &one.status;
    let weight = if status.weight == status.configured_weight {
        status.weight.to_string()
    } else {
        format!("{} of {}", status.weight, status.configured_weight)
    };
    Row::new([
        state(&one.state),
        Text::from(status.address.to_string()),
        Text::from(status.method.to_string()),
        right(weight),
        right(count(status.active_connections)),
        right(count(status.inactive_connections)),
        right(rate(one.rates.map(|rates| rates.connections))),
        right(rate(one.rates.map(|rates| rates.packets()))),
        right(bits(one.rates.map(|rates| rates.bytes()))),
    ])
}

fn connection(one: &Connection) -> Row<'static> {
    Row::new([
        Text::from(one.protocol.to_string()),
        Text::from(one.state.to_string()),
        Text::from(one.client.to_string()),
        Text::from(one.real_server.to_string()),
        Text::from(timer(one.expires_seconds)),
    ])
}

fn right(text: String) -> Text<'static> {
    Text::from(text).alignment(Alignment::Right)
}

/// A state by colour and word.
fn state(word: &str) -> Text<'static> {
    let colour = match word {
        "up" => Color::Green,
        "degraded" | "overloaded" => Color::Yellow,
        "down" | "unreachable" => Color::Red,
        "draining" => Color::Cyan,
        _ => Color::DarkGray,
    };
    Text::styled(word.to_owned(), Style::new().fg(colour))
}

fn marked(app: &App, row: usize) -> Style {
    if row == app.marked { Style::new().add_modifier(Modifier::REVERSED) } else { Style::new() }
}

fn last(app: &App) -> Line<'static> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    match &app.mode {
        Mode::Confirm(question, _) => {
            Line::styled(format!("{question} y: yes, any other key: no"), bold.fg(Color::Yellow))
        }
        Mode::Search => Line::styled(format!("search: {}_", app.search), bold),
        _ if !app.said.is_empty() => Line::styled(app.said.clone(), bold),
        _ => Line::from(match app.view {
            View::Services => "Enter open  c connections  s sort  r turn  / search  p problems  ? help  q quit",
            View::Service(_) if app.read_only => "Esc back  c connections  ? help  q quit   (read-only)",
            View::Service(_) => "Esc back  + - weight  d drain  c connections  ? help  q quit",
            View::Connections { .. } => "Esc back  ? help  q quit",
        }),
    }
}

fn help(frame: &mut Frame<'_>) {
    let area = frame.area();
    let lines: Vec<Line<'_>> = HELP.iter().map(|(key, meaning)| Line::from(format!(" {key:<18} {meaning}"))).collect();
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX).min(area.height);
    let width = 66.min(area.width);
    let place = Rect { x: (area.width - width) / 2, y: (area.height - height) / 2, width, height };
    frame.render_widget(Clear, place);
    frame.render_widget(Paragraph::new(lines).block(Block::bordered().title(" keys; any key goes back ")), place);
}
