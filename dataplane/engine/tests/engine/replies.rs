//! Replies of DR that pass the director, and a real server to which no route leads.

use crate::director::{Director, network};
use crate::vectors::{self, Section, Tally};

/// ipvs-facts C.2: a reply by way of the director leaves unchanged, and the client's next packet is no longer that of a one-way
/// connection; C.3: "host unreachable" of what nobody leads to.
#[test]
fn as_the_kernel_routes() {
    let mut tally = Tally::default();
    for section in vectors::read::<Section>("dr-replies.json") {
        let (mut director, refused) = Director::set_up(&section.setup);
        assert_eq!(refused, []);
        // The kernel knew the clients' network and no other.
        let mut network = network(1500);
        let default = |route: &&mut ulvs_engine::snapshot::Route| route.prefix.to_string() == "0.0.0.0/0";
        network.routes.iter_mut().find(default).unwrap().prefix = "10.9.0.0/16".parse().unwrap();
        director.set_network(&network);
        for case in &section.cases {
            case.play(&mut director);
            if let Some(want) = case.listed() {
                let listed = director.listed(case.client_port()).into_iter();
                let listed: Vec<_> = listed.map(|(state, left, ip, port)| (state.to_owned(), left, ip, port)).collect();
                assert_eq!(listed, want, "{}", case.name);
            }
            tally.compared += 1;
        }
        assert_eq!(director.service("tcp 10.0.1.100:81").totals.packets_out, 1);
    }
    tally.is("dr-replies", 4, &[]);
}
