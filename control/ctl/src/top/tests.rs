//! What is drawn at 80 columns and 24 lines, and what keys do.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ulvs_api::{
    Connection, Counters, Drain, Edit, Live, LiveRealServer, LiveService, LiveServices, Neighbour, Occupancy, Rates,
    RealServerStatus, Sample, ServiceStatus, ServiceTotals, Status, WorkerSample, WorkerStatus,
};

use super::Sort;
use super::app::{App, Mode, Then, View};
use super::draw;
use super::feed::{Change, News, Seen};
use super::keys::press;

fn rates(packets: f64) -> Rates {
    Rates {
        connections: packets / 10.0,
        packets_in: packets,
        packets_out: 0.0,
        bytes_in: packets * 100.0,
        bytes_out: 0.0,
    }
}

fn real_server(number: usize) -> LiveRealServer {
    let status = RealServerStatus {
        address: format!("10.0.0.{number}:8080").parse().unwrap(),
        method: "nat".into(),
        tun_type: None,
        tun_port: None,
        tun_checksum: None,
        weight: if number == 2 { 0 } else { 4 },
        configured_weight: 4,
        forwarded: true,
        health: "".into(),
        drain: if number == 2 { Drain::Quiescent } else { Drain::No },
        removal: None,
        upper_threshold: 0,
        lower_threshold: 0,
        overloaded: false,
        active_connections: 17,
        inactive_connections: 120,
        owner: "file".into(),
        edited: false,
        persistent_clients: 0,
        neighbour: Neighbour::Resolved,
        counters: Counters::default(),
    };
    let state = if number == 2 { "draining" } else { "up" };
    LiveRealServer { state: state.into(), status, rates: Some(rates(1500.0)) }
}

fn service(number: usize) -> LiveService {
    let address = format!("192.0.2.{number}:80").parse().unwrap();
    let status = ServiceStatus {
        protocol: "tcp".into(),
        address,
        mark: None,
        scheduler: "wrr".into(),
        flags: Vec::new(),
        owner: "file".into(),
        edited: false,
        quorum: None,
        persistence: None,
        netmask: None,
        persistence_engine: None,
        one_packet: false,
        counters: Counters::default(),
        real_servers: Vec::new(),
    };
    LiveService {
        name: format!("tcp {address}"),
        state: "degraded".into(),
        status,
        size: 3,
        usable: 2,
        active_connections: 51,
        inactive_connections: 360,
        rates: Some(rates(123_456.0)),
        history: Vec::new(),
        live: (1..4).map(real_server).collect(),
    }
}

/// An answer to what the app wants, of a director with so many services.
fn answer(app: &App, all: usize) -> News {
    let wish = app.wish();
    let load = WorkerSample { busy: 0.5, packets_in: 1_234_567.0, ..WorkerSample::default() };
    let sample = Sample {
        rates: rates(2_469_134.0),
        workers: vec![load; 3],
        drops: vec![("no_route".into(), 12.0)],
        ..Sample::default()
    };
    let status = Status {
        version: "0.1.0".into(),
        uptime_seconds: 3700,
        workers: (0..3).map(|id| WorkerStatus { id, core: id + 1, ..WorkerStatus::default() }).collect(),
        connections: Occupancy { capacity: 1 << 20, live: 54_321, templates: 0 },
        ..Status::default()
    };
    let totals = ServiceTotals { services: all, degraded: all, real_servers: 3 * all, ..ServiceTotals::default() };
    let services = match &wish.services.name {
        Some(_) => vec![service(1)],
        None => {
            (0..all).skip(wish.services.from).take(wish.services.count.unwrap()).map(|at| service(at % 250)).collect()
        }
    };
    let connection = Connection {
        protocol: "tcp".into(),
        state: "ESTABLISHED".into(),
        expires_seconds: 899,
        client: "[2001:db8::7]:51234".parse().unwrap(),
        service: "192.0.2.1:80".parse().unwrap(),
        real_server: "10.0.0.1:8080".parse().unwrap(),
        method: "nat".into(),
    };
    News::Seen(Box::new(Seen {
        live: Live { status, samples: vec![sample] },
        services: LiveServices { at: 0, totals, found: all, services },
        connections: if wish.connections { vec![connection] } else { Vec::new() },
        wish,
    }))
}

/// An app of a terminal of this size that has seen a director with so many services.
fn app(all: usize) -> App {
    let mut app = App::new(Sort::Packets, String::new(), false);
    app.set_height(24);
    let news = answer(&app, all);
    app.take(news);
    app.set_height(24);
    let news = answer(&app, all);
    app.take(news);
    app
}

fn screen(app: &App) -> String {
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    terminal.draw(|frame| draw::all(app, frame)).unwrap();
    let buffer = terminal.backend().buffer().clone();
    let line = |y| (0..80).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
    (0..24).map(line).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

fn key(app: &mut App, code: KeyCode) -> Then {
    press(app, KeyEvent::new(code, KeyModifiers::NONE))
}

fn letter(app: &mut App, letter: char) -> Then {
    key(app, KeyCode::Char(letter))
}

#[test]
fn services_fit_80_by_24() {
    let expected = "\
ulvsd 0.1.0, up 1h 1m   services 3, down 0, degraded 3, real servers 9
packets/s 2.46M  bit/s 1.97G  new/s 246k  connections 54321 of 1.04M
w0 core 1 [|||||     ]  50 %  1.23Mpps  w1 core 2 [|||||     ]  50 %  1.23Mpps
w2 core 3 [|||||     ]  50 %  1.23Mpps
dropped/s 12 (no_route 12)  to the kernel/s 0
SERVICES 1-3 of 3, by packets
STATE     SERVICE                      SCHED SERVERS ACTIVE  NEW/S  PKT/S  BIT/S
degraded  tcp 192.0.2.0:80             wrr       2/3     51  12346   123k  98.7M
degraded  tcp 192.0.2.1:80             wrr       2/3     51  12346   123k  98.7M
degraded  tcp 192.0.2.2:80             wrr       2/3     51  12346   123k  98.7M";
    let shown = screen(&app(3));
    assert!(shown.starts_with(expected), "{shown}");
    assert!(shown.ends_with("? help  q quit"), "{shown}");
}

#[test]
fn real_servers_and_connections_fit_80_by_24() {
    let mut app = app(3);
    assert_eq!(key(&mut app, KeyCode::Enter), Then::Look);
    let news = answer(&app, 3);
    app.take(news);
    let shown = screen(&app);
    let expected = "\
tcp 192.0.2.0:80 wrr: REAL SERVERS 1-3 of 3
STATE       REAL SERVER          FWD   WEIGHT ACTIVE  INACT  NEW/S  PKT/S  BIT/S
up          10.0.0.1:8080        nat        4     17    120    150   1500  1.20M
draining    10.0.0.2:8080        nat   0 of 4     17    120    150   1500  1.20M
up          10.0.0.3:8080        nat        4     17    120    150   1500  1.20M";
    assert!(shown.contains(expected), "{shown}");
    app.view = View::Connections { service: "tcp 192.0.2.1:80".to_owned(), real_server: None };
    let news = answer(&app, 3);
    app.take(news);
    let shown = screen(&app);
    assert!(shown.contains("ESTABLISHED  [2001:db8::7]:51234"), "{shown}");
}

#[test]
fn of_ten_thousand_services_a_window_is_asked_for() {
    let mut app = app(10_000);
    assert_eq!(app.wish().services.count, Some(app.rows));
    assert_eq!(key(&mut app, KeyCode::End), Then::Look);
    let wish = app.wish().services;
    assert_eq!((app.marked, wish.from + wish.count.unwrap()), (9_999, 10_000));
    let news = answer(&app, 10_000);
    app.take(news);
    assert!(app.service().is_some());
    assert!(screen(&app).contains("SERVICES 9985-10000 of 10000"), "{}", screen(&app));
    // A row up is on the screen already.
    assert_eq!(key(&mut app, KeyCode::Up), Then::Nothing);
    // When services go, the mark stays on one that is there.
    let news = answer(&app, 2);
    app.take(news);
    assert_eq!((app.marked, app.first), (1, 0));
}

#[test]
fn a_change_is_asked_for_and_made_with_y_alone() {
    let mut app = app(3);
    assert_eq!(letter(&mut app, '+'), Then::Nothing);
    assert!(app.said.contains("Enter"), "{}", app.said);
    key(&mut app, KeyCode::Enter);
    let news = answer(&app, 3);
    app.take(news);
    letter(&mut app, '+');
    assert!(screen(&app).contains("weight of 10.0.0.1:8080: 4 -> 5? y: yes"), "{}", screen(&app));
    assert_eq!(letter(&mut app, 'n'), Then::Nothing);
    letter(&mut app, '-');
    let Then::Change(Change::Edit(request)) = letter(&mut app, 'y') else { panic!() };
    let [Edit::EditRealServer(edit)] = &request.edits[..] else { panic!("{request:?}") };
    assert_eq!((edit.real_server.as_str(), edit.weight, request.dry_run), ("10.0.0.1:8080", Some(3), false));
    key(&mut app, KeyCode::Down);
    letter(&mut app, 'd');
    let Then::Change(Change::Drain(request)) = letter(&mut app, 'y') else { panic!() };
    assert_eq!((request.real_server.to_string().as_str(), request.drain), ("10.0.0.2:8080", Drain::No));
}

#[test]
fn read_only_changes_nothing() {
    let mut app = app(3);
    app.read_only = true;
    key(&mut app, KeyCode::Enter);
    let news = answer(&app, 3);
    app.take(news);
    for change in ['+', '-', 'd'] {
        assert_eq!(letter(&mut app, change), Then::Nothing);
        assert_eq!(app.mode, Mode::Move);
        assert!(app.said.contains("--read-only"));
    }
}

#[test]
fn one_sorts_and_searches() {
    let mut app = app(300);
    key(&mut app, KeyCode::End);
    assert_eq!(letter(&mut app, 's'), Then::Look);
    assert_eq!((app.wish().services.sort.as_deref(), app.wish().services.from), (Some("bytes"), 0));
    letter(&mut app, 'S');
    letter(&mut app, 'r');
    assert!(!app.wish().services.descending);
    letter(&mut app, 'p');
    assert_eq!(app.wish().services.state.as_deref(), Some("problem"));
    letter(&mut app, '/');
    for typed in "q2&".chars() {
        assert_eq!(letter(&mut app, typed), Then::Look);
    }
    assert_eq!(app.wish().services.search, "q2&");
    assert!(app.wish().services.target().contains("&search=q2%26"), "{}", app.wish().services.target());
    key(&mut app, KeyCode::Enter);
    assert_eq!((letter(&mut app, 'q'), app.search.as_str()), (Then::Quit, "q2&"));
}

#[test]
fn a_director_that_is_away_is_told_and_comes_back() {
    let mut app = app(3);
    app.take(News::Trouble("no ulvsd answers on /run/ulvs/api.sock".to_owned()));
    let shown = screen(&app);
    assert!(shown.contains("OLD for 0s: no ulvsd answers") && shown.contains("tcp 192.0.2.1:80"), "{shown}");
    let news = answer(&app, 3);
    app.take(news);
    assert!(!screen(&app).contains("OLD"));
}

#[test]
fn nothing_is_too_small_or_too_empty_to_be_drawn() {
    for (width, height) in [(80, 24), (1, 1), (20, 5), (200, 60), (80, 3)] {
        for mut app in [App::new(Sort::Name, String::new(), true), app(0), app(500)] {
            app.set_height(height);
            for mode in [Mode::Move, Mode::Help, Mode::Search] {
                app.mode = mode;
                let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
                terminal.draw(|frame| draw::all(&app, frame)).unwrap();
            }
            for code in [KeyCode::End, KeyCode::Enter, KeyCode::PageUp, KeyCode::Esc, KeyCode::Char('c'), KeyCode::Esc]
            {
                key(&mut app, code);
            }
        }
    }
}
