//! What ipvsadm prints, without what depends on the moment: a connection's time left is rounded up, and connections are in the
//! order of their text.

use crate::shell::Answer;

/// What times are rounded up to, in seconds; above the last, to its multiples.
const STEPS: [u32; 3] = [10, 30, 60];

/// The lines that are compared.
pub(super) fn lines(answer: &Answer) -> Vec<String> {
    let mut lines: Vec<String> = answer.words.lines().map(|line| line.trim_end().to_owned()).collect();
    if lines.first().is_some_and(|line| line == "IPVS connection entries") {
        lines.drain(..lines.len().min(2));
        lines = lines.iter().map(|line| connection(line)).collect();
        lines.sort();
    }
    if answer.status != 0 {
        lines.push(format!("status {}", answer.status));
    }
    lines
}

/// `TCP 01:00 SYN_RECV 10.9.0.1:4000 10.0.1.100:80 10.0.2.11:80`
fn connection(line: &str) -> String {
    let mut words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    if let Some(time) = words.get_mut(1)
        && let Some((minutes, seconds)) = time.split_once(':')
        && let (Ok(minutes), Ok(seconds)) = (minutes.parse::<u32>(), seconds.parse::<u32>())
    {
        let all = minutes * 60 + seconds;
        let all = STEPS.into_iter().find(|step| all <= *step).unwrap_or_else(|| all.next_multiple_of(STEPS[2]));
        *time = format!("{:02}:{:02}", all / 60, all % 60);
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_sorted_and_rounded() {
        let words = "IPVS connection entries\npro expire state source virtual destination\n\
            UDP 04:58  UDP         10.9.0.1:2 10.0.1.100:53 10.0.2.11:53\n\
            TCP 00:59  SYN_RECV    10.9.0.1:1 10.0.1.100:80 10.0.2.11:80\n";
        assert_eq!(
            lines(&Answer { status: 0, words: words.into() }),
            [
                "TCP 01:00 SYN_RECV 10.9.0.1:1 10.0.1.100:80 10.0.2.11:80",
                "UDP 05:00 UDP 10.9.0.1:2 10.0.1.100:53 10.0.2.11:53"
            ]
        );
    }

    #[test]
    fn a_failure_has_its_status() {
        assert_eq!(
            lines(&Answer { status: 255, words: "No such service\n".into() }),
            ["No such service", "status 255"]
        );
    }
}
