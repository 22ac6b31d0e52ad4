//! What two trees differ in. What they share is not looked at.

use ipnet::IpNet;

use crate::node::{self, Node};
use crate::place::side;

type Part<'a, V> = Option<&'a Node<V>>;

/// Before and now: the trees, or parts of them of which one may stand below the other.
pub(crate) fn walk<'a, V: PartialEq>(
    (before, now): (Part<'a, V>, Part<'a, V>),
    is_v6: bool,
    changed: &mut impl FnMut(IpNet, Option<&'a V>),
) {
    let (Some(was), Some(is)) = (before, now) else {
        gone(before, is_v6, changed);
        return come(now, is_v6, changed);
    };
    if std::ptr::eq(was, is) {
        return;
    }
    let common = was.place.common(is.place);
    match (common == was.place.length, common == is.place.length) {
        (true, true) => {
            if was.value != is.value {
                changed(is.place.prefix(is_v6), is.value.as_ref());
            }
            for at in [0, 1] {
                walk((was.child(at), is.child(at)), is_v6, changed);
            }
        }
        (true, false) => {
            if was.value.is_some() {
                changed(was.place.prefix(is_v6), None);
            }
            let at = side(is.place.bits, common);
            gone(was.child(1 - at), is_v6, changed);
            walk((was.child(at), now), is_v6, changed);
        }
        (false, true) => {
            if let Some(value) = &is.value {
                changed(is.place.prefix(is_v6), Some(value));
            }
            let at = side(was.place.bits, common);
            come(is.child(1 - at), is_v6, changed);
            walk((before, is.child(at)), is_v6, changed);
        }
        (false, false) => {
            gone(before, is_v6, changed);
            come(now, is_v6, changed);
        }
    }
}

fn gone<'a, V: 'a>(all: Part<'a, V>, is_v6: bool, changed: &mut impl FnMut(IpNet, Option<&'a V>)) {
    node::iter(all, is_v6).for_each(|(prefix, _)| changed(prefix, None));
}

fn come<'a, V>(all: Part<'a, V>, is_v6: bool, changed: &mut impl FnMut(IpNet, Option<&'a V>)) {
    node::iter(all, is_v6).for_each(|(prefix, value)| changed(prefix, Some(value)));
}
