//! `tidegate compile-component`: the compiler process.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::output;
use crate::sandbox::compiler;

/// The program calls itself with this: see [`compiler`].
#[derive(Args)]
pub(super) struct Compile {
    /// Where the compiled form goes; the component comes on stdin
    output: PathBuf,
}

impl Compile {
    pub(super) fn run(&self) -> ExitCode {
        match compiler::run(&self.output) {
            Ok(()) => ExitCode::SUCCESS,
            Err(complaint) => {
                output::complain(&complaint);
                ExitCode::FAILURE
            }
        }
    }
}
