//! `ulvsctl top`: the director as it is, second by second, in a terminal.

mod app;
mod draw;
mod feed;
mod keys;
mod once;
#[cfg(test)]
mod tests;
mod words;

use std::io::{IsTerminal, Write};
use std::sync::mpsc::TryRecvError;
use std::time::Duration;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use ulvs_api::Client;

use app::{App, Then};
use feed::Feed;

/// How long keys are waited for before what has come is drawn.
const FRAME: Duration = Duration::from_millis(100);

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Print the busiest services, or with `--json` all that top shows, and end.
    #[arg(long)]
    once: bool,
    /// Change nothing, whatever key is pressed.
    #[arg(long)]
    read_only: bool,
    /// What services are sorted by to begin with.
    #[arg(long, value_enum, default_value_t = Sort::Packets)]
    sort: Sort,
    /// Only services in whose name this is.
    #[arg(long, default_value = "", value_name = "TEXT")]
    search: String,
    /// The most services to print with `--once`.
    #[arg(long, default_value_t = 50, value_name = "N", requires = "once")]
    limit: usize,
}

/// What services are sorted by.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Sort {
    /// Packets a second, both ways.
    Packets,
    /// Bytes a second, both ways.
    Bytes,
    /// New connections a second.
    Connections,
    /// Active connections.
    Active,
    /// How bad it is.
    State,
    /// Address and port.
    Name,
}

impl Sort {
    const ALL: [Self; 6] = [Self::Packets, Self::Bytes, Self::Connections, Self::Active, Self::State, Self::Name];

    /// The API's word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Packets => "packets",
            Self::Bytes => "bytes",
            Self::Connections => "connections",
            Self::Active => "active",
            Self::State => "state",
            Self::Name => "name",
        }
    }

    /// The next one, or the one before.
    pub(crate) fn step(self, back: bool) -> Self {
        let at = Self::ALL.iter().position(|one| *one == self).unwrap_or(0);
        let by = if back { Self::ALL.len() - 1 } else { 1 };
        Self::ALL[(at + by) % Self::ALL.len()]
    }
}

/// Watches until `q` is pressed, or prints once.
pub(crate) fn run(client: &Client, options: &Options, json: bool, out: &mut impl Write) -> Result<()> {
    if options.once {
        return once::print(client, options, json, out);
    }
    if json {
        bail!("top draws on a terminal: add --once to have its JSON");
    }
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        bail!("top needs a terminal: add --once to print what it shows");
    }
    let mut terminal = ratatui::init();
    let result = watch(&mut terminal, client, options);
    ratatui::restore();
    result
}

fn watch(terminal: &mut DefaultTerminal, client: &Client, options: &Options) -> Result<()> {
    let mut app = App::new(options.sort, options.search.clone(), options.read_only);
    let feed = Feed::start(client.clone(), app.wish())?;
    loop {
        app.set_height(terminal.size()?.height);
        terminal.draw(|frame| draw::all(&app, frame))?;
        if event::poll(FRAME)?
            && let Event::Key(key) = event::read()?
            && key.kind != KeyEventKind::Release
        {
            match keys::press(&mut app, key) {
                Then::Nothing => {}
                Then::Look => feed.look(app.wish()),
                Then::Change(change) => feed.change(change),
                Then::Quit => return Ok(()),
            }
        }
        loop {
            match feed.news.try_recv() {
                Ok(news) => app.take(news),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => bail!("the thread that asks ulvsd has ended"),
            }
        }
    }
}
