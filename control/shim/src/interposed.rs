//! The functions that are called instead of libc's, by subject.

/// Defines functions with libc's names and types. The unit tests have them, too, but keep libc's own under the names.
macro_rules! interpose {
    ($($(#[$attribute:meta])* fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty $body:block)*) => {$(
        $(#[$attribute])*
        #[cfg_attr(not(test), unsafe(no_mangle))]
        pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> $result $body
    )*};
}

/// The same for functions that take a path: each calls libc's by way of another function, perhaps with another path.
macro_rules! by_path {
    ($($(#[$attribute:meta])*
        fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $result:ty = |$path:ident| $way:ident($($more:expr),*);
    )*) => {
        interpose! {$(
            $(#[$attribute])*
            fn $name($($argument: $type),*) -> $result {
                // SAFETY: the caller's arguments, or another C string for the path
                let call = |$path: *const libc::c_char| unsafe { next::$name($($argument),*) };
                // SAFETY: the caller's path
                unsafe { $way($path, call $(, $more)*) }
            }
        )*}
    };
}

mod descriptors;
mod files;
mod open;
mod options;
mod receive;
mod send;
mod sockets;
