//! IP in IP in all four combinations of families, as the kernel encapsulates: sizes at the limit and one above, DF, ECN.

use ulvs_engine::{DropReason, Verdict};

use crate::director::Director;
use crate::vectors::{self, Section, Tally};

#[test]
fn as_the_kernel_encapsulates() {
    let mut tally = Tally::default();
    for section in vectors::read::<Section>("tunnel.json") {
        let (mut director, refused) = Director::set_up(&section.setup);
        assert_eq!(refused, []);
        for case in &section.cases {
            if case.name.starts_with("pmtu_disc=0") {
                tally.skip("pmtu_disc=0");
            } else if case.name == "ipip v4-in-v4 noDF len 1500" {
                assert_eq!(case.verdicts(&mut director), [Verdict::Drop(DropReason::NeedsFragmentation)]);
                tally.skip("fragments");
            } else {
                case.play(&mut director);
                tally.compared += 1;
            }
        }
    }
    tally.is("tunnel", 46, &[("fragments", 1), ("pmtu_disc=0", 2)]);
}
