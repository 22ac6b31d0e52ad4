/* What Rust cannot take from DPDK's headers by itself: macros, thread-local variables and static inlines.
 *
 * bindgen reads this file; shim.c implements it. Everything declared here is named dpdk_ or DPDK_, everything of
 * DPDK's own keeps its name.
 */
#ifndef DPDK_SYS_SHIM_H
#define DPDK_SYS_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_version.h>

/* Where the fields of an mbuf are. DPDK moves some of them into anonymous unions from one release to the next, which
 * changes their Rust path but not their C name; an offset by C name works with every release. shim.c asserts widths. */
static const size_t DPDK_MBUF_BUF_ADDR = offsetof(struct rte_mbuf, buf_addr);
static const size_t DPDK_MBUF_DATA_OFF = offsetof(struct rte_mbuf, data_off);
static const size_t DPDK_MBUF_REFCNT = offsetof(struct rte_mbuf, refcnt);
static const size_t DPDK_MBUF_NB_SEGS = offsetof(struct rte_mbuf, nb_segs);
static const size_t DPDK_MBUF_PORT = offsetof(struct rte_mbuf, port);
static const size_t DPDK_MBUF_OL_FLAGS = offsetof(struct rte_mbuf, ol_flags);
static const size_t DPDK_MBUF_PKT_LEN = offsetof(struct rte_mbuf, pkt_len);
static const size_t DPDK_MBUF_DATA_LEN = offsetof(struct rte_mbuf, data_len);
static const size_t DPDK_MBUF_BUF_LEN = offsetof(struct rte_mbuf, buf_len);
static const size_t DPDK_MBUF_HASH_RSS = offsetof(struct rte_mbuf, hash.rss);
static const size_t DPDK_MBUF_NEXT = offsetof(struct rte_mbuf, next);
static const size_t DPDK_MBUF_POOL = offsetof(struct rte_mbuf, pool);

/* Macros, as typed constants: bindgen does not evaluate the ones with casts. */
static const uint16_t DPDK_MAX_PORTS = RTE_MAX_ETHPORTS;
static const size_t DPDK_PORT_NAME_SIZE = RTE_ETH_NAME_MAX_LEN;
static const int DPDK_ANY_SOCKET = SOCKET_ID_ANY;

static const uint16_t DPDK_MBUF_HEADROOM = RTE_PKTMBUF_HEADROOM;
static const uint64_t DPDK_MBUF_F_RX_RSS_HASH = RTE_MBUF_F_RX_RSS_HASH;
static const uint64_t DPDK_MBUF_F_RX_IP_CKSUM_MASK = RTE_MBUF_F_RX_IP_CKSUM_MASK;
static const uint64_t DPDK_MBUF_F_RX_IP_CKSUM_BAD = RTE_MBUF_F_RX_IP_CKSUM_BAD;
static const uint64_t DPDK_MBUF_F_RX_IP_CKSUM_GOOD = RTE_MBUF_F_RX_IP_CKSUM_GOOD;
static const uint64_t DPDK_MBUF_F_RX_L4_CKSUM_MASK = RTE_MBUF_F_RX_L4_CKSUM_MASK;
static const uint64_t DPDK_MBUF_F_RX_L4_CKSUM_BAD = RTE_MBUF_F_RX_L4_CKSUM_BAD;
static const uint64_t DPDK_MBUF_F_RX_L4_CKSUM_GOOD = RTE_MBUF_F_RX_L4_CKSUM_GOOD;

static const uint64_t DPDK_RSS_IPV4 = RTE_ETH_RSS_IPV4;
static const uint64_t DPDK_RSS_IPV4_TCP = RTE_ETH_RSS_NONFRAG_IPV4_TCP;
static const uint64_t DPDK_RSS_IPV4_UDP = RTE_ETH_RSS_NONFRAG_IPV4_UDP;
static const uint64_t DPDK_RSS_IPV6 = RTE_ETH_RSS_IPV6;
static const uint64_t DPDK_RSS_IPV6_TCP = RTE_ETH_RSS_NONFRAG_IPV6_TCP;
static const uint64_t DPDK_RSS_IPV6_UDP = RTE_ETH_RSS_NONFRAG_IPV6_UDP;

static const uint64_t DPDK_RX_OFFLOAD_IPV4_CKSUM = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM;
static const uint64_t DPDK_RX_OFFLOAD_UDP_CKSUM = RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
static const uint64_t DPDK_RX_OFFLOAD_TCP_CKSUM = RTE_ETH_RX_OFFLOAD_TCP_CKSUM;
static const uint64_t DPDK_RX_OFFLOAD_SCATTER = RTE_ETH_RX_OFFLOAD_SCATTER;
static const uint64_t DPDK_RX_OFFLOAD_RSS_HASH = RTE_ETH_RX_OFFLOAD_RSS_HASH;

static const uint64_t DPDK_TX_OFFLOAD_MULTI_SEGS = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;

/* rte_errno of the calling thread. */
int dpdk_errno(void);
uint64_t dpdk_rdtsc(void);
/* Whether the calling thread has a place of its own in DPDK's tables. */
bool dpdk_thread_is_registered(void);

/* Per-burst calls. */
uint16_t dpdk_rx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t room);
uint16_t dpdk_tx_burst(uint16_t port, uint16_t queue, struct rte_mbuf **mbufs, uint16_t count);

/* mbufs one by one, or in bulk (all or nothing). */
struct rte_mbuf *dpdk_pktmbuf_alloc(struct rte_mempool *pool);
int dpdk_pktmbuf_alloc_bulk(struct rte_mempool *pool, struct rte_mbuf **mbufs, unsigned int count);
void dpdk_pktmbuf_free(struct rte_mbuf *mbuf);
int dpdk_pktmbuf_linearize(struct rte_mbuf *mbuf);

uint32_t dpdk_mempool_size(const struct rte_mempool *pool);
/* Whether every object is in the pool's common store or in the calling thread's cache, so that nobody else can be
 * in the middle of putting one back. */
bool dpdk_mempool_quiescent(const struct rte_mempool *pool);
/* Moves what the calling thread's caches hold, in every pool, to the common stores. */
void dpdk_mempool_flush_caches(void);

/* struct rte_eth_link is made of bit-fields, and inside a union in newer releases. */
struct dpdk_link {
	uint32_t mbps;
	bool up;
	bool full_duplex;
};
int dpdk_link_get_nowait(uint16_t port, struct dpdk_link *link);

/* Gives the log's lines to `write`; -1 when no stream can be made. */
typedef void (*dpdk_log_writer)(const char *text, size_t length);
int dpdk_log_open(dpdk_log_writer write);

#endif
