//! The channels inside the program.

/// A channel that needs no file.
#[derive(Clone, Copy, Debug)]
pub struct Builtin {
    /// Also what its component says of itself.
    pub name: &'static str,
    /// The component.
    pub bytes: &'static [u8],
}

/// All of them, as `cargo xtask guests` has built them.
pub const ALL: [Builtin; 1] =
    [Builtin { name: "fakechat", bytes: include_bytes!(concat!(env!("TIDEGATE_GUESTS"), "/fakechat.wasm")) }];

/// The one with this name.
pub fn find(name: &str) -> Option<Builtin> {
    ALL.into_iter().find(|builtin| builtin.name == name)
}
