//! The channels that are built into the program.

/// A built-in channel, which needs no file.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// The name of the channel, which is also the name in its component.
    pub name: &'static str,
    /// The component.
    pub bytes: &'static [u8],
    /// The sender id of each client that can reach the channel's page: these clients count as the user.
    pub page_user: Option<&'static str>,
}

/// All built-in channels, as built by `cargo xtask guests`. Not a constant, because a constant would be in the program
/// several times.
pub static ALL: [Builtin; 2] = [
    Builtin {
        name: "fakechat",
        bytes: include_bytes!(concat!(env!("TIDEGATE_GUESTS"), "/fakechat.wasm")),
        page_user: Some("web"),
    },
    Builtin {
        name: "telegram",
        bytes: include_bytes!(concat!(env!("TIDEGATE_GUESTS"), "/telegram.wasm")),
        page_user: None,
    },
];

/// Returns the built-in channel with this name.
pub fn find(name: &str) -> Option<Builtin> {
    ALL.into_iter().find(|builtin| builtin.name == name)
}
