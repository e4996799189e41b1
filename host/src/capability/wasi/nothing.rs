//! Stubs of files and sockets, for components that import them.
//!
//! Functions for which WASI has a suitable answer return it: an empty list, or an error. Functions on a file or a
//! socket trap, because none exists. No implementation is linked: nothing can be reached by mistake, and nothing takes
//! memory.

use wasmtime::{
    AsContextMut,
    component::{
        Component, Linker, LinkerInstance, Resource, ResourceType, Val,
        types::{ComponentInstance, ComponentItem},
    },
};

use crate::{capability::Tenant, contract, sandbox::Resident};

/// The packages that have stubs only.
const PACKAGES: [&str; 2] = ["wasi:filesystem/", "wasi:sockets/"];
/// The resources that these packages share with packages that have an implementation.
const OTHERS: [&str; 4] = ["error", "input-stream", "output-stream", "pollable"];

/// The stub of a file, a socket or a network. A guest can hold and drop it, but not use it.
struct Nothing;

/// Adds the interfaces of these packages that the component imports, in the shape that the component expects.
pub(super) fn add_to_linker(
    linker: &mut Linker<Resident<Tenant>>,
    component: &Component,
) -> wasmtime::Result<()> {
    for (name, item) in component.component_type().imports(component.engine()) {
        if let ComponentItem::ComponentInstance(instance) = item.ty
            && contract::is_wasi(name)
            && PACKAGES.iter().any(|package| name.starts_with(package))
        {
            add(&mut linker.instance(name)?, &instance, component)?;
        }
    }
    Ok(())
}

fn add(
    linker: &mut LinkerInstance<'_, Resident<Tenant>>,
    instance: &ComponentInstance,
    component: &Component,
) -> wasmtime::Result<()> {
    for (name, item) in instance.exports(component.engine()) {
        match item.ty {
            ComponentItem::Resource(_) if !OTHERS.contains(&name) => {
                linker.resource(name, ResourceType::host::<Nothing>(), |_, _| Ok(()))?;
            }
            ComponentItem::ComponentFunc(_) => {
                let asked = name.to_owned();
                linker.func_new_async(name, move |mut store, _, given, results| {
                    let answer = answer(&asked, &mut store);
                    Box::new(async move {
                        // Borrowed resources have to be dropped.
                        for value in given {
                            if let Val::Resource(resource) = value {
                                resource.resource_drop_async(&mut store).await?;
                            }
                        }
                        let answer = answer?;
                        if let Some(result) = results.first_mut() {
                            *result = answer;
                        }
                        Ok(())
                    })
                })?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns WASI's answer for an absent file or socket. Fails if there is none.
fn answer(asked: &str, store: impl AsContextMut) -> wasmtime::Result<Val> {
    match asked {
        "get-directories" => Ok(Val::List(Vec::new())),
        "filesystem-error-code" | "network-error-code" => Ok(Val::Option(None)),
        "create-tcp-socket" | "create-udp-socket" | "resolve-addresses" => {
            Ok(Val::Result(Err(Some(Box::new(Val::Enum("access-denied".to_owned()))))))
        }
        "instance-network" => {
            Ok(Val::Resource(Resource::<Nothing>::new_own(0).try_into_resource_any(store)?))
        }
        _ => Err(wasmtime::Error::msg(format!("it asked for {asked}, and has neither files nor sockets"))),
    }
}
