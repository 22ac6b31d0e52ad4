//! What real servers that go and come mean for their service.

use std::time::Duration;

use proptest::prelude::*;

use super::scene::{PLAIN, Played, Scene, failed, passed, real, seconds, weight};
use crate::{News, Policy, Verdict};

const CHECK: &str = "type = \"tcp\"\ninterval = 1000\nrise = 1\nfall = 1";

#[test]
fn what_is_down_is_taken_out_or_has_weight_0_as_configured() {
    for (inhibit_on_failure, expected) in [(false, Verdict::Removed), (true, Verdict::Inhibited)] {
        let mut scene = Scene::new(2, CHECK, Policy { inhibit_on_failure, ..PLAIN });
        let played = scene.play(seconds(10), |number, _| if number == 0 { failed() } else { passed() });
        assert_eq!(played.moments.last().unwrap().verdicts, [expected, Verdict::Well]);
    }
}

#[test]
fn the_sorry_server_serves_from_the_loss_of_the_quorum_to_its_return() {
    // three of four have to be up, all four for it to be met again
    let policy = Policy { quorum: 350, hysteresis: 50, has_sorry_server: true, ..PLAIN };
    let mut scene = Scene::new(4, CHECK, policy);
    let dead = |number: usize, at: Duration| match at.as_secs() {
        20..40 | 60..80 => number == 0,
        40..60 => number <= 1,
        _ => false,
    };
    let found = |number, at| if dead(number, at) { failed() } else { passed() };
    let played = scene.play(seconds(40), found);
    assert!(!played.moments.last().unwrap().sorry, "300 are enough");
    let played = scene.play(seconds(60), found);
    played.told(News::QuorumLost(200));
    assert!(played.moments.last().unwrap().sorry);
    assert_eq!(played.moments.last().unwrap().verdicts, [Verdict::Removed; 4], "it serves alone");
    let played = scene.play(seconds(80), found);
    assert!(played.moments.last().unwrap().sorry, "300 are not enough to come back");
    let played = scene.play(seconds(100), found);
    played.told(News::QuorumMet(400));
    assert_eq!(played.moments.last().unwrap().verdicts, [Verdict::Well; 4]);
    assert!(!played.moments.last().unwrap().sorry);
}

/// What has to hold whatever real servers do.
fn holds(policy: Policy, played: &Played, count: usize) {
    let (mut is_up, mut has_quorum) = (vec![true; count], true);
    for moment in &played.moments {
        for news in &moment.news {
            match *news {
                News::Up(_) | News::Down(_) => {
                    let of = |one: &News| matches!((one, news), (News::Up(a) | News::Down(a), News::Up(b) | News::Down(b)) if a == b);
                    assert_eq!(moment.news.iter().filter(|one| of(one)).count(), 1, "told once: {moment:?}");
                    let number = (0..count).find(|at| [News::Up(real(*at)), News::Down(real(*at))].contains(news));
                    let before = std::mem::replace(&mut is_up[number.unwrap()], matches!(news, News::Up(_)));
                    assert_ne!(before, matches!(news, News::Up(_)), "up and down by turns: {moment:?}");
                }
                News::QuorumMet(_) | News::QuorumLost(_) => {
                    assert_eq!(has_quorum, matches!(news, News::QuorumLost(_)), "by turns: {moment:?}");
                    has_quorum = !has_quorum;
                }
            }
        }
        assert_eq!(moment.sorry, policy.has_sorry_server && !has_quorum, "{moment:?}");
        for (verdict, is_up) in moment.verdicts.iter().zip(&is_up) {
            let serves = *is_up && !moment.sorry;
            assert_eq!(weight(*verdict) > 0, serves, "who is up serves, nobody else: {moment:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn who_is_up_serves_unless_the_sorry_server_does(
        seed in any::<u64>(), count in 1..6_usize, quorum in 1..400_u32, hysteresis in 0..100_u32, has_sorry_server in any::<bool>(),
        inhibit_on_failure in any::<bool>(), slow_start in 0..20_u32
    ) {
        let policy = Policy { inhibit_on_failure, quorum, hysteresis: hysteresis.min(quorum - 1), has_sorry_server };
        let mut scene = Scene::new(count, &format!("{CHECK}\nslow_start = {}", slow_start * 1000), policy);
        // each is dead or alive for some seconds, by its number and the time
        let is_dead = |number: usize, at: Duration| {
            let place = (at.as_secs() / 7).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (number as u64).wrapping_mul(0xd134_2543_de82_ef95);
            (place ^ seed).wrapping_mul(0x2545_f491_4f6c_dd1d) >> 62 == 0
        };
        let played = scene.play(seconds(300), |number, at| if is_dead(number, at) { failed() } else { passed() });
        holds(policy, &played, count);
    }
}
