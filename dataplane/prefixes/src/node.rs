//! The tree: a node for each prefix with a value, and for each place where two ways part.

use std::sync::Arc;

use ipnet::IpNet;

use crate::place::{Place, side};

pub(crate) type Link<V> = Option<Arc<Node<V>>>;

/// Its children's places are longer ones that begin with its own; without a value it has two.
#[derive(Clone, Debug)]
pub(crate) struct Node<V> {
    pub(crate) place: Place,
    pub(crate) value: Option<V>,
    pub(crate) children: [Link<V>; 2],
}

impl<V> Node<V> {
    fn leaf(place: Place, value: V) -> Arc<Self> {
        Arc::new(Self { place, value: Some(value), children: [None, None] })
    }

    pub(crate) fn child(&self, at: usize) -> Option<&Self> {
        self.children[at].as_deref()
    }
}

pub(crate) fn get<V>(mut below: Option<&Node<V>>, place: Place) -> Option<&V> {
    while let Some(node) = below {
        if node.place == place {
            return node.value.as_ref();
        }
        if node.place.length >= place.length || !node.place.holds(place.bits) {
            return None;
        }
        below = node.child(side(place.bits, node.place.length));
    }
    None
}

#[inline]
pub(crate) fn longest<V>(mut below: Option<&Node<V>>, bits: u128) -> Option<&V> {
    let mut found = None;
    while let Some(node) = below {
        if !node.place.holds(bits) {
            break;
        }
        if node.value.is_some() {
            found = node.value.as_ref();
        }
        if node.place.length >= 128 {
            break;
        }
        below = node.child(side(bits, node.place.length));
    }
    found
}

/// As deep as a place is long, as everything that calls itself here: 128 at most.
pub(crate) fn insert<V: Clone>(link: &mut Link<V>, place: Place, value: V) {
    let Some(node) = link else {
        *link = Some(Node::leaf(place, value));
        return;
    };
    let common = node.place.common(place);
    if common < node.place.length {
        let fork = part(link.take(), common, place, value);
        *link = Some(Arc::new(fork));
    } else if common == place.length {
        Arc::make_mut(node).value = Some(value);
    } else {
        insert(&mut Arc::make_mut(node).children[side(place.bits, common)], place, value);
    }
}

/// What stands above a node and a place that have only `common` bits in common, which are fewer than the node's.
fn part<V>(node: Link<V>, common: u8, place: Place, value: V) -> Node<V> {
    let mut fork = Node { place: place.cut(common), value: None, children: [None, None] };
    let of_node = node.as_ref().map_or(0, |node| side(node.place.bits, common));
    fork.children[of_node] = node;
    if common == place.length {
        fork.value = Some(value);
    } else {
        fork.children[1 - of_node] = Some(Node::leaf(place, value));
    }
    fork
}

/// Takes away a value that is there.
pub(crate) fn remove<V: Clone>(link: &mut Link<V>, place: Place) {
    let Some(shared) = link else { return };
    let node = Arc::make_mut(shared);
    if node.place == place {
        node.value = None;
    } else if node.place.length < place.length {
        remove(&mut node.children[side(place.bits, node.place.length)], place);
    }
    if node.value.is_none() {
        match &mut node.children {
            [Some(_), Some(_)] => {}
            [one, other] => *link = one.take().or_else(|| other.take()),
        }
    }
}

/// A node before what is below it.
pub(crate) fn iter<V>(root: Option<&Node<V>>, is_v6: bool) -> impl Iterator<Item = (IpNet, &V)> {
    below(root.into_iter().collect(), is_v6)
}

/// What stands behind a place in the order of [`iter`], for [`below`].
pub(crate) fn after<V>(root: Option<&Node<V>>, place: Place) -> Vec<&Node<V>> {
    let (mut waiting, mut below) = (Vec::new(), root);
    while let Some(node) = below {
        if (node.place.bits, node.place.length) > (place.bits, place.length) {
            waiting.push(node);
            break;
        }
        if node.place == place {
            waiting.extend([1, 0].into_iter().filter_map(|at| node.child(at)));
            break;
        }
        if !node.place.holds(place.bits) {
            break;
        }
        // Shorter than the place, which is below it or would be.
        let at = side(place.bits, node.place.length);
        waiting.extend(if at == 0 { node.child(1) } else { None });
        below = node.child(at);
    }
    waiting
}

/// These nodes, the last first, each before what is below it.
pub(crate) fn below<V>(mut waiting: Vec<&Node<V>>, is_v6: bool) -> impl Iterator<Item = (IpNet, &V)> {
    std::iter::from_fn(move || {
        loop {
            let node = waiting.pop()?;
            waiting.extend([1, 0].into_iter().filter_map(|at| node.child(at)));
            if let Some(value) = &node.value {
                return Some((node.place.prefix(is_v6), value));
            }
        }
    })
}
