//! Weights that follow what real servers say of themselves.

use std::time::Duration;

use super::scene::{Found, PLAIN, Scene, WEIGHT, failed, passed, real, seconds};
use crate::probe::{Finding, Mode, Statement};
use crate::{News, Share};

const AGENT: &str = "type = \"agent\"\nport = 9707\ninterval = 1000\nsmoothing = 4\nweight_interval = 5000\n";

fn says(statement: Statement) -> Found {
    Ok(Finding::Said(statement))
}

fn percent(percent: u16) -> Found {
    says(Statement { percent: Some(percent), ..Statement::default() })
}

fn word(is_up: bool) -> Found {
    says(Statement { is_up: Some((is_up, "maintenance".to_owned())), ..Statement::default() })
}

/// The shortest time between two changes.
fn least_apart(weights: &[(Duration, u64)]) -> Duration {
    weights.windows(2).map(|pair| pair[1].0 - pair[0].0).min().unwrap()
}

#[test]
fn a_load_that_swings_makes_a_weight_that_is_smooth_bounded_and_seldom_another() {
    let mut scene = Scene::new(1, &format!("{AGENT}weight_min = 30\nweight_max = 90"), PLAIN);
    // each second the other extreme
    let played = scene.play(seconds(600), |_, at| percent(if at.as_secs() % 2 == 0 { 5 } else { 400 }));
    let weights = played.weights();
    assert!(weights.len() > 20, "it moves: {weights:?}");
    assert!(weights.iter().all(|(_, weight)| (30..=90).contains(weight)), "the bounds are 30 and 90: {weights:?}");
    let late: Vec<_> = weights.iter().skip(5).map(|(_, weight)| *weight).collect();
    assert!(
        late.iter().all(|weight| (40..=80).contains(weight)),
        "answers swing between 30 and 90, the weight by less: {late:?}"
    );
    assert!(least_apart(&weights) >= seconds(5), "{weights:?}");
    let played = scene.play(seconds(700), |_, _| percent(42));
    assert_eq!(played.weights().last().map(|(_, weight)| *weight), Some(42), "it settles at what is said");
    let played = scene.play(seconds(10_000), |_, _| percent(42));
    assert!(played.moments.is_empty(), "and stays there: {:?}", played.moments);
}

#[test]
fn a_wish_for_no_connections_and_its_end_do_not_wait() {
    let mut scene = Scene::new(1, AGENT, PLAIN);
    let said = |at: Duration| percent(if (51..53).contains(&at.as_secs()) { 0 } else { 80 });
    let played = scene.play(seconds(100), |_, at| said(at));
    let weights = played.weights();
    let only: Vec<_> = weights.iter().map(|(_, weight)| *weight).collect();
    assert_eq!(only, [80, 0, 80], "zero is not averaged in");
    assert!(weights[1].0 < seconds(53) && weights[2].0 < seconds(55), "{weights:?}");
}

#[test]
fn a_silent_agent_changes_nothing() {
    let mut scene = Scene::new(1, AGENT, PLAIN);
    scene.play(seconds(30), |_, _| percent(50));
    let played = scene.play(seconds(36_000), |_, _| failed());
    assert!(played.moments.is_empty(), "{:?}", played.moments);
    scene.play(seconds(36_010), |_, _| word(false));
    let played = scene.play(seconds(72_000), |_, _| failed());
    assert!(played.moments.is_empty(), "who was said to be down stays so: {:?}", played.moments);
    let played = scene.play(seconds(72_010), |_, _| word(true));
    played.told(News::Up(real(0)));
    assert_eq!(played.weights().last().map(|(_, weight)| *weight), Some(50), "and has the weight of before");
}

#[test]
fn an_agents_word_counts_at_once_and_a_recovery_by_it_is_slow() {
    let mut scene = Scene::new(1, &format!("{AGENT}slow_start = 20000"), PLAIN);
    let played = scene.play(seconds(100), |_, at| word(!(10..20).contains(&at.as_secs())));
    let (down, up) = (played.told(News::Down(real(0))), played.told(News::Up(real(0))));
    assert!(down < seconds(12) && up < seconds(22), "{down:?} {up:?}");
    let weights: Vec<_> = played.weights().iter().map(|(_, weight)| *weight).collect();
    assert_eq!(weights, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, WEIGHT]);
}

#[test]
fn drained_by_its_agent_it_is_up_without_new_connections_and_in_maintenance_down() {
    let mode = |mode| says(Statement { mode: Some(mode), ..Statement::default() });
    let mut scene = Scene::new(1, AGENT, PLAIN);
    let played = scene.play(seconds(10), |_, _| mode(Mode::Drain));
    assert_eq!(played.moments.iter().map(|one| one.news.len()).sum::<usize>(), 1, "the quorum alone: {played:?}");
    assert_eq!(played.weights().last().map(|(_, weight)| *weight), Some(0));
    scene.play(seconds(20), |_, _| mode(Mode::Maint)).told(News::Down(real(0)));
    let played = scene.play(seconds(30), |_, _| mode(Mode::Ready));
    played.told(News::Up(real(0)));
    assert_eq!(played.weights().last().map(|(_, weight)| *weight), Some(WEIGHT));
}

#[test]
fn a_programs_weight_is_taken_as_it_is_but_no_more_often_than_the_interval() {
    let exec = "type = \"exec\"\ndynamic = true\ncommand = [\"/bin/true\"]\ninterval = 1000\nweight_interval = 10000";
    let mut scene = Scene::new(1, exec, PLAIN);
    let weighs = |at: Duration| Ok(Finding::Weighs(Share::Weight(i32::try_from(at.as_secs()).unwrap() + 7)));
    let weights = scene.play(seconds(240), |_, at| weighs(at)).weights();
    assert!(weights.len() > 15 && least_apart(&weights) >= seconds(10), "{weights:?}");
    assert!(weights.iter().all(|(at, weight)| *weight == at.as_secs() + 7), "{weights:?}");
    let played = scene.play(seconds(300), |_, _| passed());
    assert!(played.moments.is_empty(), "status 0 says nothing of a weight");
}
