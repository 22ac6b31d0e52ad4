//! When is asked, and what of the answers takes a real server down or up.

use std::time::Duration;

use super::scene::{PLAIN, Scene, WEIGHT, failed, passed, real, seconds};
use crate::News;

#[test]
fn it_is_down_after_fall_failures_and_up_after_rise_passes_and_each_is_told_once() {
    let mut scene = Scene::new(1, "type = \"tcp\"\ninterval = 5000\nrise = 2\nfall = 3", PLAIN);
    let is_dead = |at| (seconds(100)..seconds(200)).contains(&at);
    let played = scene.play(seconds(3600), |_, at| if is_dead(at) { failed() } else { passed() });
    let (down, up) = (played.told(News::Down(real(0))), played.told(News::Up(real(0))));
    assert!((seconds(109)..seconds(117)).contains(&down), "three failures, the first within an interval: {down:?}");
    assert!((Duration::from_millis(204_500)..seconds(211)).contains(&up), "two passes: {up:?}");
}

#[test]
fn single_failures_and_single_passes_change_nothing() {
    let mut scene = Scene::new(1, "type = \"tcp\"\ninterval = 1000\nrise = 2\nfall = 2", PLAIN);
    // shorter than two probes are apart
    let is_dead = |at: Duration| (3000..3800).contains(&(at.as_millis() % 10_000));
    let played = scene.play(seconds(600), |_, at| if is_dead(at) { failed() } else { passed() });
    assert!(played.probes.iter().filter(|(_, at)| is_dead(*at)).count() > 20, "there are failures");
    assert!(played.moments.is_empty(), "{:?}", played.moments);
    scene.play(seconds(700), |_, _| failed());
    let played = scene.play(seconds(700) + Duration::from_millis(1200), |_, _| passed());
    assert!(
        played.probes.len() == 1 && played.moments.is_empty(),
        "one pass after many failures: {:?}",
        played.moments
    );
}

#[test]
fn checks_that_began_together_are_spread_and_stay_spread() {
    let mut scene = Scene::new(200, "type = \"tcp\"\ninterval = 5000", PLAIN);
    let played = scene.play(seconds(1000), |_, _| passed());
    assert!((39_000..41_000).contains(&played.probes.len()), "one in 5 s each: {}", played.probes.len());
    // Once the beginning, which takes a tenth of a second, has been forgotten.
    let late = played.probes.iter().filter(|(_, at)| *at >= seconds(500));
    let mut each = vec![0; 1000];
    late.for_each(|(_, at)| each[usize::try_from((*at - seconds(500)).as_millis() / 500).unwrap()] += 1);
    let most = each.iter().max();
    assert!(most < Some(&60), "20 in half a second are the mean: {most:?}");
}

#[test]
fn what_has_failed_is_asked_again_sooner_and_what_is_down_is_not() {
    let lines = "type = \"tcp\"\ninterval = 60000\nretry_interval = 1000\nrise = 2\nfall = 3";
    let mut scene = Scene::new(1, lines, PLAIN);
    let played = scene.play(seconds(6000), |_, at| if at > seconds(1000) { failed() } else { passed() });
    let down = played.told(News::Down(real(0)));
    assert!((seconds(1001)..seconds(1070)).contains(&down), "66 s to the first failure, and two retries: {down:?}");
    let asked = |from: Duration, to: Duration| played.probes.iter().filter(|(_, at)| (from..to).contains(at)).count();
    assert_eq!(asked(down - seconds(3), down), 2, "retries are a second apart");
    assert!(asked(down + seconds(1), down + seconds(600)) <= 11, "a minute apart again");
}

#[test]
fn a_slow_start_is_of_who_was_down_and_begins_anew_with_each_recovery() {
    let mut scene = Scene::new(1, "type = \"tcp\"\ninterval = 1000\nrise = 1\nfall = 1\nslow_start = 20000", PLAIN);
    let played = scene.play(seconds(100), |_, _| passed());
    assert!(played.moments.is_empty(), "at its start the director gives full weights: {:?}", played.moments);
    let is_dead = |at| (seconds(100)..seconds(110)).contains(&at) || (seconds(120)..seconds(130)).contains(&at);
    let played = scene.play(seconds(200), |_, at| if is_dead(at) { failed() } else { passed() });
    let weights: Vec<_> = played.weights().iter().map(|(_, weight)| *weight).collect();
    let first: Vec<_> = weights.iter().copied().take_while(|weight| *weight < 60).collect();
    assert_eq!(first[..5], [0, 10, 20, 30, 40], "{weights:?}");
    let second = &weights[weights.iter().rposition(|weight| *weight == 0).unwrap()..];
    assert_eq!(second, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, WEIGHT]);
    let times: Vec<_> = played.weights().iter().rev().take(10).map(|(at, _)| *at).collect();
    let step = |pair: &[Duration]| pair[0] - pair[1];
    assert!(times.windows(2).all(|pair| step(pair).abs_diff(seconds(2)) <= seconds(1)), "{times:?}");
    assert!((times[0] - times[9]).abs_diff(seconds(20)) <= seconds(2), "{times:?}");
}
