//! Files and sockets, for components that expect that there are some: there are none.
//!
//! A component that asks is told so by the answers that WASI has for that; what could only be asked of a file or a socket
//! that does not exist traps. Nothing of an implementation is linked: what is not there cannot be reached by mistake, and
//! takes no memory.

use wasmtime::{
    AsContextMut,
    component::{
        Component, Linker, LinkerInstance, Resource, ResourceType, Val,
        types::{ComponentInstance, ComponentItem},
    },
};

use crate::{capability::Tenant, contract, sandbox::Resident};

/// The packages of which there is nothing.
const PACKAGES: [&str; 2] = ["wasi:filesystem/", "wasi:sockets/"];
/// Resources that these share with packages of which there is something.
const OTHERS: [&str; 4] = ["error", "input-stream", "output-stream", "pollable"];

/// A file, a socket, a network: what stands for it can be held and let go, and no more.
struct Nothing;

/// Adds whatever of these packages the component imports, in the component's own shape.
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
                        // What was lent is given back.
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

/// What WASI has for this case, if anything.
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
