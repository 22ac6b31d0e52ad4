//! Pools, packets and bursts.

use dpdk::{Burst, Eal, Mbuf, Mempool, MempoolConfig, MempoolError, mempool::HEADROOM};

use crate::{assert_all_home, pool};

pub(crate) fn pools(eal: &Eal) {
    let first = pool(eal, "first");
    assert_eq!((first.name(), first.capacity(), first.data_room()), ("first", 2047, 2048));
    assert_all_home(&first);
    let again = Mempool::new(eal, "first", &MempoolConfig::default());
    assert!(matches!(again, Err(MempoolError::Name { .. })), "{again:?}");
    let long = Mempool::new(eal, &"n".repeat(40), &MempoolConfig::default());
    assert!(matches!(long, Err(MempoolError::Name { .. })), "{long:?}");
    let large = Mempool::new(eal, "large", &MempoolConfig { count: 1 << 20, ..MempoolConfig::default() });
    let sentence = large.unwrap_err().to_string();
    assert!(sentence.starts_with("mempool large of 1048576 mbufs needs about 2368 MiB"), "{sentence}");
    let cache = Mempool::new(eal, "cache", &MempoolConfig { cache: 4096, ..MempoolConfig::default() });
    assert!(matches!(cache, Err(MempoolError::Refused { .. })), "{cache:?}");
    drop(first);
    pool(eal, "first");
}

pub(crate) fn packets(eal: &Eal) {
    let pool = pool(eal, "packets");
    let mut mbuf = Mbuf::copy_from(&pool, b"abcdef").unwrap();
    assert_eq!(pool.in_use(), 1);
    assert_eq!((mbuf.data(), mbuf.len(), mbuf.headroom()), (&b"abcdef"[..], 6, HEADROOM));
    assert!(mbuf.is_contiguous());
    assert_eq!(mbuf.rss_hash(), None);

    mbuf.prepend(3).unwrap().copy_from_slice(b"xyz");
    assert_eq!((mbuf.data(), mbuf.len()), (&b"xyzabcdef"[..], 9));
    assert!(mbuf.prepend(HEADROOM - 2).is_none());
    mbuf.append(2).unwrap().copy_from_slice(b"gh");
    assert_eq!(mbuf.data(), b"xyzabcdefgh");
    assert!(mbuf.append(mbuf.tailroom() + 1).is_none());
    assert!(mbuf.trim_front(4));
    assert_eq!((mbuf.data(), mbuf.headroom()), (&b"bcdefgh"[..], HEADROOM + 1));
    assert!(mbuf.truncate(3));
    assert!(!mbuf.truncate(4) && !mbuf.trim_front(4));
    mbuf.data_mut().reverse();
    mbuf.prefetch();
    assert_eq!((mbuf.data(), mbuf.len()), (&b"dcb"[..], 3));
    assert!(mbuf.linearize());

    assert!(mbuf.trim_front(3));
    let all = mbuf.prepend(mbuf.headroom()).unwrap().len();
    assert_eq!((all, mbuf.headroom()), (usize::from(HEADROOM) + 4, 0));
    mbuf.append(mbuf.tailroom()).unwrap().fill(0xaa);
    assert_eq!(mbuf.len(), usize::from(HEADROOM) + 2048);

    assert!(Mbuf::copy_from(&pool, &[0; 2049]).is_none(), "longer than an mbuf");
    drop(mbuf);
    assert_all_home(&pool);
}

pub(crate) fn bursts(eal: &Eal) {
    let pool = pool(eal, "bursts");
    let mut burst = Burst::<4>::new();
    for byte in 0..4 {
        burst.push(Mbuf::copy_from(&pool, &[byte]).unwrap()).unwrap();
    }
    let refused = burst.push(Mbuf::copy_from(&pool, &[9]).unwrap()).unwrap_err();
    assert_eq!((refused.data(), burst.len(), burst.is_full()), (&[9][..], 4, true));
    burst.as_mut_slice().swap(0, 3);
    assert_eq!(burst.pop().unwrap().data(), [0]);
    assert_eq!(pool.in_use(), 4);

    let mut drain = burst.drain();
    assert_eq!((drain.len(), drain.next().unwrap().data()), (3, &[3][..]));
    drop(drain);
    assert!(burst.is_empty() && burst.pop().is_none());
    drop(refused);
    assert_all_home(&pool);

    assert!(burst.alloc(&pool, 4));
    assert!(!burst.alloc(&pool, 1), "no room");
    burst.clear();
    assert_all_home(&pool);
    // A drain that is forgotten leaks its packets but gives none out twice.
    assert!(burst.alloc(&pool, 2));
    let taken: Vec<Mbuf> = burst.drain().collect();
    assert_eq!((taken.len(), burst.len()), (2, 0));
    drop(taken);

    let mut large = Burst::<2047>::new();
    assert!(large.alloc(&pool, 2047));
    assert!(Mbuf::alloc(&pool).is_none() && !burst.alloc(&pool, 1), "the pool is empty");
    assert_eq!((pool.available(), pool.in_use()), (0, 2047));
    drop(large);
    assert_all_home(&pool);
}

pub(crate) fn pool_outlives_its_packets(eal: &Eal) {
    let pool = pool(eal, "outlived");
    let mut mbuf = Mbuf::copy_from(&pool, b"still here").unwrap();
    drop(pool);
    mbuf.data_mut()[0] = b'S';
    assert_eq!(mbuf.data(), b"Still here");
    drop(mbuf);
    let name_is_taken = Mempool::new(eal, "outlived", &MempoolConfig { count: 63, cache: 0, ..Default::default() });
    assert!(matches!(name_is_taken, Err(MempoolError::Name { .. })));
}
