//! wasmtime's configuration, the same for the host and for the compiler.

use wasmtime::{Config, OptLevel};

/// The same for the host and for the compiler: what one makes, the other must accept.
pub(super) fn configuration(compiler: bool) -> Config {
    let mut config = Config::new();
    config.enable_compiler(compiler);
    if compiler {
        config.cranelift_opt_level(OptLevel::Speed);
    }
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        // Host functions run on the guest's stack too, SQLite and JSON among them: they have the difference.
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20);
    config
}
