//! Finds DPDK and libclang, generates the bindings and compiles the shim.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

const REMEDY: &str = "apt-get install libdpdk-dev libclang-dev";

/// The oldest DPDK whose API is the one used here.
const OLDEST_DPDK: &str = "22.11";

/// Exactly the functions the safe crate calls: `rte_.*` would bind ten times as much and not compile.
const FUNCTIONS: &[&str] = &[
    "dpdk_.*",
    "rte_eal_cleanup",
    "rte_eal_init",
    "rte_eth_allmulticast_enable",
    "rte_eth_dev_adjust_nb_rx_tx_desc",
    "rte_eth_dev_close",
    "rte_eth_dev_configure",
    "rte_eth_dev_default_mac_addr_set",
    "rte_eth_dev_get_mtu",
    "rte_eth_dev_get_name_by_port",
    "rte_eth_dev_get_port_by_name",
    "rte_eth_dev_info_get",
    "rte_eth_dev_set_link_down",
    "rte_eth_dev_set_link_up",
    "rte_eth_dev_set_mtu",
    "rte_eth_dev_socket_id",
    "rte_eth_dev_start",
    "rte_eth_dev_stop",
    "rte_eth_find_next",
    "rte_eth_macaddr_get",
    "rte_eth_promiscuous_enable",
    "rte_eth_rx_queue_setup",
    "rte_eth_stats_get",
    "rte_eth_tx_queue_setup",
    "rte_eth_xstats_get",
    "rte_eth_xstats_get_names",
    "rte_get_tsc_hz",
    "rte_log_cur_msg_loglevel",
    "rte_mempool_avail_count",
    "rte_mempool_free",
    "rte_pktmbuf_free_bulk",
    "rte_pktmbuf_pool_create",
    "rte_strerror",
    "rte_thread_register",
    "rte_thread_unregister",
    "rte_version",
];

/// Types that Rust only holds pointers to; their fields differ between releases and are none of Rust's business.
const OPAQUE: &[&str] = &["rte_mbuf", "rte_mempool", "rte_device"];

fn main() {
    println!("cargo::rerun-if-changed=csrc");
    if let Err(sentence) = build() {
        println!("cargo::error={sentence}");
    }
}

fn build() -> Result<(), String> {
    let dpdk = pkg_config::Config::new()
        .atleast_version(OLDEST_DPDK)
        .probe("libdpdk")
        .map_err(|_| format!("DPDK {OLDEST_DPDK} or newer is not installed with its headers: {REMEDY}"))?;
    println!("cargo::metadata=version={}", dpdk.version);
    let cflags = cflags()?;
    let out = PathBuf::from(env::var("OUT_DIR").map_err(|err| err.to_string())?);
    bind(&cflags, &out.join("bindings.rs"))?;
    compile(&cflags)
}

/// All the flags DPDK asks for: the pkg-config crate leaves out `-march` and `-include rte_config.h`, without which
/// the static inlines do not compile, or compile to something else.
fn cflags() -> Result<Vec<String>, String> {
    let program = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".into());
    let output = Command::new(&program)
        .args(["--cflags", "libdpdk"])
        .output()
        .map_err(|err| format!("{program} does not run ({err}): apt-get install pkg-config"))?;
    Ok(String::from_utf8_lossy(&output.stdout).split_whitespace().map(str::to_owned).collect())
}

fn bind(cflags: &[String], to: &Path) -> Result<(), String> {
    select_libclang();
    let mut builder = bindgen::Builder::default()
        .header("csrc/shim.h")
        .clang_args(cflags)
        .use_core()
        .derive_default(true)
        .layout_tests(true)
        .generate_comments(false)
        .default_enum_style(bindgen::EnumVariation::ModuleConsts)
        .rust_edition(bindgen::RustEdition::Edition2024)
        .allowlist_type("rte_eth_rx_mq_mode")
        .allowlist_var("DPDK_.*")
        .parse_callbacks(Box::new(bindgen::CargoCallbacks::new()));
    builder = FUNCTIONS.iter().fold(builder, bindgen::Builder::allowlist_function);
    builder = OPAQUE.iter().fold(builder, bindgen::Builder::opaque_type);
    // bindgen panics when there is no libclang to load; that is no more than a missing package.
    let bindings = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| builder.generate()))
        .map_err(|_| no_libclang())?
        .map_err(|err| {
            format!(
                "DPDK's headers cannot be read ({}): with several versions of LLVM installed, set LIBCLANG_PATH to the \
                 lib folder of one that is complete",
                err.to_string().lines().next().unwrap_or_default()
            )
        })?;
    bindings.write_to_file(to).map_err(|err| format!("{}: {err}", to.display()))
}

fn no_libclang() -> String {
    let path = env::var("LIBCLANG_PATH").map(|path| format!(" from LIBCLANG_PATH={path}")).unwrap_or_default();
    format!("libclang, which reads DPDK's headers, cannot be loaded{path}: {REMEDY}")
}

/// Of several installed libclangs, takes the newest that has its own headers: one that finds another version's
/// headers fails on their intrinsics.
fn select_libclang() {
    println!("cargo::rerun-if-env-changed=LIBCLANG_PATH");
    if env::var_os("LIBCLANG_PATH").is_some() {
        return;
    }
    let newest = entries(Path::new("/usr/lib"))
        .filter_map(|dir| Some((llvm_version(&dir)?, dir.join("lib"))))
        .filter(|(_, lib)| has_library(lib) && has_headers(lib))
        .max_by_key(|(version, _)| *version);
    if let Some((_, lib)) = newest {
        #[expect(unsafe_code, reason = "bindgen takes the path from the environment only")]
        // SAFETY: a build script has one thread here.
        unsafe {
            env::set_var("LIBCLANG_PATH", lib);
        }
    }
}

fn llvm_version(dir: &Path) -> Option<u32> {
    dir.file_name()?.to_str()?.strip_prefix("llvm-")?.parse().ok()
}

fn has_library(lib: &Path) -> bool {
    // Not libclang-cpp.so, which may be there without it.
    let is_libclang = |name: &str| {
        name.starts_with("libclang.so")
            || name.strip_prefix("libclang-").is_some_and(|rest| rest.starts_with(char::is_numeric))
    };
    entries(lib).any(|file| file.file_name().is_some_and(|name| is_libclang(&name.to_string_lossy())))
}

fn has_headers(lib: &Path) -> bool {
    entries(&lib.join("clang")).any(|version| version.join("include/stddef.h").exists())
}

fn entries(dir: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn compile(cflags: &[String]) -> Result<(), String> {
    let mut shim = cc::Build::new();
    shim.file("csrc/shim.c").std("gnu11").opt_level(3).warnings(true);
    for flag in cflags {
        // Headers of DPDK and of what it depends on are the system's: their warnings are not ours.
        match flag.strip_prefix("-I") {
            Some(dir) => shim.flag("-isystem").flag(dir),
            None => shim.flag(flag),
        };
    }
    shim.try_compile("dpdk_shim").map_err(|err| format!("the C shim does not compile: {err}"))
}
