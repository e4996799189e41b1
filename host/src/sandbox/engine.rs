//! The engine: it loads components from the compile cache, and has them compiled if they are not in it.

use std::{io, path::Path, time::Instant};

use wasmtime::component::Component;

use super::{
    cache::{Cache, Digest},
    compiler,
    configuration::configuration,
    ticker::{Running, Ticker},
};

/// A wasmtime engine with a compile cache and a ticker: it turns bytes into components, and advances the epoch.
///
/// It contains no compiler: see [`compiler`].
#[derive(Debug)]
pub struct Engine {
    inner: wasmtime::Engine,
    cache: Cache,
    ticker: Ticker,
}

/// Why a component cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The compiler has failed.
    #[error(transparent)]
    Compiler(#[from] compiler::Error),
    /// A compiled form that was just created cannot be loaded.
    #[error("its compiled form cannot be loaded: {0}")]
    Load(String),
    /// The cache cannot be written.
    #[error("its compiled form cannot be stored: {0}")]
    Store(#[from] io::Error),
}

impl Engine {
    /// Creates an engine with its compile cache in this folder.
    pub fn new(cache: &Path) -> io::Result<Self> {
        let inner = wasmtime::Engine::new(&configuration(false)).map_err(io::Error::other)?;
        Ok(Self { cache: Cache::open(cache)?, ticker: Ticker::start(&inner)?, inner })
    }

    /// Returns the component with these bytes, from the cache or newly compiled.
    pub async fn load(&self, name: &str, bytes: &[u8]) -> Result<Component, CompileError> {
        let digest = Digest::of(bytes);
        let path = self.cache.path(digest);
        if let Ok(component) = self.deserialize(&path) {
            return Ok(component);
        }
        compiler::check(bytes)?;
        let (kibibytes, started) = (bytes.len() >> 10, Instant::now());
        tracing::info!("compiling {name} ({kibibytes} KiB); this is done once");
        let scratch = self.cache.scratch(digest);
        let result = compiler::compile(bytes, &scratch).await;
        let result = result.map_err(CompileError::from).and_then(|()| Ok(std::fs::rename(&scratch, &path)?));
        if result.is_err() {
            // Removes what the compiler may have left, which is usually nothing.
            let _ = std::fs::remove_file(&scratch);
        }
        result?;
        tracing::info!("compiled {name} in {:.1} s", started.elapsed().as_secs_f32());
        self.deserialize(&path).map_err(|error| CompileError::Load(format!("{error:#}")))
    }

    fn deserialize(&self, path: &Path) -> wasmtime::Result<Component> {
        // SAFETY: the file was written by our own compiler, into a folder that only this user can write to
        // (`Cache::open` checks this), under a name that contains the versions; it is never changed, only replaced.
        #[expect(unsafe_code, reason = "loading machine code is what a compile cache is for")]
        unsafe {
            Component::deserialize_file(&self.inner, path)
        }
    }

    /// Advances the epoch as long as the returned value lives.
    pub(super) fn run(&self) -> Running {
        self.ticker.run()
    }

    /// Returns the wasmtime engine, for linking.
    pub fn wasmtime(&self) -> &wasmtime::Engine {
        &self.inner
    }
}
