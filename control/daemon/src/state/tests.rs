//! Whatever is changed, and wherever the journal ends: what is restored is what was answered.

use std::sync::Arc;

use proptest::prelude::*;
use ulvs_ipvs::table::{
    Checked, Command, Deadline, DestinationId, DestinationSpec, Drain, FileEntries, FileService, Owner, ServiceId,
    ServiceSpec, Table, Timeouts,
};
use ulvs_ipvs::{Follow, file};
use ulvs_model::{Protocol, ServiceKey, Sysctl, Sysctls};

use super::journal::HEAD;
use super::load::{Behind, End};
use super::record::Written;
use super::replay::Replay;
use super::restore::steps;
use super::saved::Saved;
use crate::nowhere::Nowhere;

fn id(number: u8) -> ServiceId {
    ServiceKey::new(Protocol::Tcp, ([192, 0, 2, number], 80).into()).into()
}

fn service(number: u8, timeout: u32) -> ServiceSpec {
    let scheduler = if timeout.is_multiple_of(2) { "rr" } else { "wlc" }.to_owned();
    let (flags, engine) = (u32::from(timeout > 0), String::new());
    ServiceSpec { id: id(number), scheduler, flags, mask: u32::MAX, timeout, netmask: u32::MAX, engine }
}

fn destination(number: u8, weight: i32) -> DestinationSpec {
    DestinationSpec { weight, ..DestinationSpec::at(([10, 0, 0, number], 80).into()) }
}

/// One of a few files: services 0 to 2, each with real servers 0 to 2, or without some.
fn said(variant: u8) -> Arc<FileEntries> {
    let services = (0..3).filter(|number| variant >> number & 1 == 0).map(|number| {
        let mut said = FileService::new(service(number, u32::from(variant >> 3 & 1)));
        (0..3).filter(|one| variant >> (one + 2) & 1 == 0).for_each(|one| said.add(destination(one, 1)));
        said
    });
    let timeouts = Timeouts { tcp: 900 + u32::from(variant % 2), ..Timeouts::default() };
    Arc::new(FileEntries::new(services, timeouts, Sysctls::default()))
}

#[derive(Clone, Debug)]
enum Doing {
    Command(Command, Owner),
    Follow(u8, bool),
}

fn doing() -> impl Strategy<Value = Doing> {
    let numbers = (0..4_u8, 0..4_u8, 0..4_u8, any::<u8>());
    let owner = proptest::sample::select(vec![Owner::Netlink, Owner::Api]);
    (0..14_u8, numbers, owner).prop_map(|(kind, (of, number, value, any), owner)| {
        let (id, one, weight) = (id(of), DestinationId(([10, 0, 0, number], 80).into()), i32::from(value));
        let of_value = |commands: [Drain; 4]| commands[usize::from(value)];
        let command = match kind {
            0 => Command::NewService(service(of, u32::from(value))),
            1 => Command::SetService(service(of, u32::from(value))),
            2 => Command::DeleteService(id),
            3..6 => Command::NewDestination(id, Ok(destination(number, weight))),
            6..8 => Command::SetDestination(id, Ok(destination(number, weight))),
            8 => Command::DeleteDestination(id, Ok(destination(number, 0))),
            9 => {
                let deadline = Some(Deadline(u64::from(any)));
                let drains = [Drain::No, Drain::Removed, Drain::Quiescent(None), Drain::Quiescent(deadline)];
                Command::Drain(id, one, of_value(drains))
            }
            10 => Command::SetTimeouts(Timeouts { tcp: u32::from(any) + 1, ..Timeouts::default() }),
            11 => Command::SetSysctl(Sysctl::SloppyTcp, i32::from(value % 2)),
            12 if value == 0 => Command::Flush,
            12 => {
                let checked = [Checked::Well, Checked::Removed, Checked::Inhibited, Checked::Percent(50)];
                return Doing::Command(Command::Check(id, one, checked[usize::from(value)]), Owner::Checks);
            }
            _ => return Doing::Follow(any, value == 0),
        };
        Doing::Command(command, owner)
    })
}

/// Whether both can be done in one step.
fn go_together(one: &Doing, other: &Doing) -> bool {
    matches!((one, other), (Doing::Command(_, one), Doing::Command(_, other)) if one == other)
}

/// Does all of it in one step, or nothing.
fn change(table: &mut Table, doing: &[Doing]) -> Option<Written> {
    let (commands, owner): (Vec<_>, _) = match doing {
        [Doing::Follow(variant, reset), ..] => {
            let follow = if *reset { Follow::Reset } else { Follow::Changes };
            (file::commands(table, &said(*variant), follow), Owner::File)
        }
        [Doing::Command(_, owner), ..] => {
            let commands = doing.iter().filter_map(|one| match one {
                Doing::Command(command, _) => Some(command.clone()),
                Doing::Follow(..) => None,
            });
            (commands.collect(), *owner)
        }
        [] => return None,
    };
    let changes = table.plan_all(&commands, owner, &Nowhere).ok()?;
    table.commit(&changes);
    Written::of(table, &changes, owner)
}

/// What a director has that starts with this file and what was kept.
fn restored(file: &Arc<FileEntries>, saved: Saved) -> (Saved, String) {
    let mut table = Table::new();
    let mut run = |commands: Vec<Command>, owner| {
        for command in commands {
            if let Ok(changes) = table.plan(&command, owner, &Nowhere) {
                table.commit(&changes);
            }
        }
        table.clone()
    };
    let begun = run(file::commands(&Table::new(), file, Follow::Changes), Owner::File);
    for (commands, owner) in steps(&begun, saved) {
        run(commands, owner);
    }
    let of = |service: &ulvs_ipvs::table::Service| {
        let destinations: Vec<_> = service.destinations().collect();
        format!("{:?} {:?} {:?} {destinations:?}\n", service.id(), service.settings(), service.owner())
    };
    let shown = table.services(None).map(|(_, service)| of(service)).collect();
    (Saved::of(&table), shown)
}

fn behind(saved: Saved, number: u64) -> Behind {
    Behind { replay: Replay::from(saved), number, followed: 0 }
}

proptest! {
    /// The file may be of any moment, the journal begin any time before it and end in the middle of a change.
    #[test]
    fn any_cut_of_the_journal_gives_the_changes_before_it(
        begin in any::<u8>(),
        doing in proptest::collection::vec(proptest::collection::vec(doing(), 1..4), 1..24),
        (filed, cut) in (any::<proptest::sample::Index>(), any::<proptest::sample::Index>()),
    ) {
        let mut table = Table::new();
        change(&mut table, &[Doing::Follow(begin, false)]);
        let mut tables = vec![table.clone()];
        let mut journal = HEAD.as_bytes().to_vec();
        // Where each change ends in the journal, and the number of its table.
        let mut ends = vec![(journal.len(), 0)];
        for step in doing.iter().flat_map(|doing| doing.chunk_by(go_together)) {
            let written = change(&mut table, step);
            let number = tables.len();
            tables.push(table.clone());
            journal.extend(written.into_iter().flat_map(|written| written.line(number as u64)));
            ends.push((journal.len(), number));
        }
        let filed = filed.index(tables.len());
        let cut = cut.index(journal.len() + 1);
        let mut behind = behind(Saved::of(&tables[filed]), filed as u64);
        let (good, end) = behind.follow(&journal[..cut]);
        prop_assert!(good <= cut && (good == cut) == (end == End::Whole), "{good} of {cut}: {end:?}");
        let last = ends.iter().rev().find(|(length, _)| *length <= cut).map_or(0, |(_, number)| *number).max(filed);
        let expected = &tables[last];
        prop_assert_eq!(
            restored(expected.file(), behind.replay.saved()),
            restored(expected.file(), Saved::of(expected))
        );
    }

    #[test]
    fn whatever_is_in_a_journal_is_told_and_no_end(text in any::<Vec<u8>>(), line in ".{0,40}") {
        for text in [text, format!("{HEAD}{line}\n").into_bytes(), format!("{HEAD}{{\"number\":1,\"steps\":[{line}]}}\n").into_bytes()] {
            let mut behind = behind(Saved::default(), 0);
            let (good, _) = behind.follow(&text);
            prop_assert!(good <= text.len());
            behind.replay.saved();
        }
    }
}

#[test]
fn zeros_and_strangers_are_damage_and_half_a_change_is_not() {
    let line = Written::Steps(Vec::new()).line(7);
    let whole = [HEAD.as_bytes(), &line].concat();
    let follow = |text: &[u8]| behind(Saved::default(), 0).follow(text);
    assert_eq!(follow(&whole), (whole.len(), End::Whole));
    assert_eq!(follow(&whole[..whole.len() - 1]), (HEAD.len(), End::Torn));
    assert_eq!(follow(&[&whole[..], &[0; 512]].concat()).0, whole.len());
    let is_damaged = |text: &[u8]| matches!(follow(text).1, End::Damaged(_));
    assert!(is_damaged(&[&whole[..], &[0; 512]].concat()));
    assert!(is_damaged(&[&whole[..], b"{}\n", &line].concat()));
    assert!(is_damaged(b"something else\n"));
}
