//! The channels inside the program.

/// A channel that needs no file.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Also what its component says of itself.
    pub name: &'static str,
    /// The component.
    pub bytes: &'static [u8],
    /// Whoever reaches its page is the user, whom it calls by this id.
    pub page_user: Option<&'static str>,
}

/// All of them, as `cargo xtask guests` has built them. Not a constant: that would be in the program several times.
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

/// The one with this name.
pub fn find(name: &str) -> Option<Builtin> {
    ALL.into_iter().find(|builtin| builtin.name == name)
}
