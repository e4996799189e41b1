use super::Tenant;
use crate::contract::imports::{
    http::{Failure, Host, Request, Response},
    types::Saved,
};

/// Until the network policy exists, every request is denied: a channel that needs the network says so itself.
const DENIED: &str = "this version of tidegate gives no channel the network";

impl Host for Tenant {
    async fn send(&mut self, _request: Request) -> wasmtime::Result<Result<Response, Failure>> {
        self.surroundings()?;
        Ok(Err(Failure::Denied(DENIED.to_owned())))
    }

    async fn download(
        &mut self,
        _request: Request,
        _name: String,
    ) -> wasmtime::Result<Result<Saved, Failure>> {
        self.surroundings()?;
        Ok(Err(Failure::Denied(DENIED.to_owned())))
    }
}
