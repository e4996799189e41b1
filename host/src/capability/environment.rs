//! The import `environment`: time, random bytes, settings and signatures.

use super::Tenant;
use crate::{
    clock,
    contract::imports::environment::{Digest, Host},
};

/// The most random bytes that one call returns.
const RANDOM: u32 = 1024;

impl Host for Tenant {
    fn now(&mut self) -> wasmtime::Result<u64> {
        self.surroundings()?;
        Ok(clock::now())
    }

    fn random(&mut self, length: u32) -> wasmtime::Result<Vec<u8>> {
        self.surroundings()?;
        let mut bytes = vec![0; length.min(RANDOM) as usize];
        getrandom::fill(&mut bytes).map_err(|error| wasmtime::Error::msg(error.to_string()))?;
        Ok(bytes)
    }

    fn setting(&mut self, name: String) -> wasmtime::Result<Option<String>> {
        Ok(self.surroundings()?.settings.get(&name).cloned())
    }

    fn verify_hmac(
        &mut self,
        credential: String,
        digest: Digest,
        bytes: Vec<u8>,
        signature: Vec<u8>,
    ) -> wasmtime::Result<bool> {
        Ok(self.surroundings()?.secrets.verify(&credential, digest, &bytes, &signature))
    }
}
