//! wasmtime's configuration, the same for the host and for the compiler.

use wasmtime::{Config, OptLevel};

/// Returns the configuration. It is the same for the host and for the compiler: the host must accept what the compiler
/// makes.
pub(super) fn configuration(compiler: bool) -> Config {
    let mut config = Config::new();
    config.enable_compiler(compiler);
    if compiler {
        config.cranelift_opt_level(OptLevel::Speed);
    }
    config
        .wasm_component_model(true)
        .epoch_interruption(true)
        // Host functions run on the guest's stack too, SQLite and JSON among them. They use the difference between the
        // two sizes.
        .max_wasm_stack(512 << 10)
        .async_stack_size(2 << 20);
    config
}
