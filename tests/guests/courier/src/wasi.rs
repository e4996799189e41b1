//! Reports what WASI provides to this guest.

use serde::Serialize;

#[allow(
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    clippy::nursery,
    clippy::allow_attributes,
    missing_docs,
    unused_qualifications,
    reason = "generated: which lints it breaks is wit-bindgen's affair"
)]
mod bindings {
    // As much of it as is tried here.
    wit_bindgen::generate!({
        inline: "
            package courier:wasi;
            world explorer {
                import wasi:cli/environment@0.2.0;
                import wasi:cli/stdout@0.2.0;
                import wasi:cli/stderr@0.2.0;
                import wasi:clocks/monotonic-clock@0.2.0;
                import wasi:filesystem/preopens@0.2.0;
                import wasi:random/random@0.2.0;
                import wasi:sockets/instance-network@0.2.0;
                import wasi:sockets/ip-name-lookup@0.2.0;
                import wasi:sockets/tcp-create-socket@0.2.0;
                import wasi:sockets/udp-create-socket@0.2.0;
            }
            package wasi:io@0.2.0 {
                interface error { resource error; }
                interface poll { resource pollable { block: func(); } }
                interface streams {
                    use error.{error};
                    variant stream-error { last-operation-failed(error), closed }
                    resource input-stream { read: func(length: u64) -> result<list<u8>, stream-error>; }
                    resource output-stream {
                        blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>;
                    }
                }
            }
            package wasi:cli@0.2.0 {
                interface environment {
                    get-environment: func() -> list<tuple<string, string>>;
                    get-arguments: func() -> list<string>;
                    initial-cwd: func() -> option<string>;
                }
                interface stdout {
                    use wasi:io/streams@0.2.0.{output-stream};
                    get-stdout: func() -> output-stream;
                }
                interface stderr {
                    use wasi:io/streams@0.2.0.{output-stream};
                    get-stderr: func() -> output-stream;
                }
            }
            package wasi:clocks@0.2.0 {
                interface monotonic-clock {
                    use wasi:io/poll@0.2.0.{pollable};
                    now: func() -> u64;
                    subscribe-duration: func(duration: u64) -> pollable;
                }
            }
            package wasi:filesystem@0.2.0 {
                interface types {
                    use wasi:io/streams@0.2.0.{input-stream, error};
                    enum error-code { access, would-block, already }
                    resource descriptor { read-via-stream: func(offset: u64) -> result<input-stream, error-code>; }
                    filesystem-error-code: func(error: borrow<error>) -> option<error-code>;
                }
                interface preopens {
                    use types.{descriptor};
                    get-directories: func() -> list<tuple<descriptor, string>>;
                }
            }
            package wasi:random@0.2.0 {
                interface random { get-random-bytes: func(length: u64) -> list<u8>; }
            }
            package wasi:sockets@0.2.0 {
                interface network {
                    resource network;
                    enum error-code {
                        unknown, access-denied, not-supported, invalid-argument, out-of-memory, timeout,
                        concurrency-conflict, not-in-progress, would-block, invalid-state, new-socket-limit,
                        address-not-bindable, address-in-use, remote-unreachable, connection-refused,
                        connection-reset, connection-aborted, datagram-too-large, name-unresolvable,
                        temporary-resolver-failure, permanent-resolver-failure,
                    }
                    enum ip-address-family { ipv4, ipv6 }
                }
                interface instance-network {
                    use network.{network};
                    instance-network: func() -> network;
                }
                interface ip-name-lookup {
                    use network.{network, error-code};
                    resource resolve-address-stream;
                    resolve-addresses: func(network: borrow<network>, name: string) -> result<resolve-address-stream, error-code>;
                }
                interface tcp {
                    use wasi:io/poll@0.2.0.{pollable};
                    use wasi:io/streams@0.2.0.{input-stream, output-stream};
                    use network.{error-code};
                    resource tcp-socket {
                        finish-connect: func() -> result<tuple<input-stream, output-stream>, error-code>;
                        subscribe: func() -> pollable;
                    }
                }
                interface tcp-create-socket {
                    use network.{ip-address-family, error-code};
                    use tcp.{tcp-socket};
                    create-tcp-socket: func(family: ip-address-family) -> result<tcp-socket, error-code>;
                }
                interface udp { resource udp-socket; }
                interface udp-create-socket {
                    use network.{ip-address-family, error-code};
                    use udp.{udp-socket};
                    create-udp-socket: func(family: ip-address-family) -> result<udp-socket, error-code>;
                }
            }
        ",
        world: "courier:wasi/explorer",
        generate_all,
    });
}

use bindings::wasi::{
    cli::{environment, stderr, stdout},
    clocks::monotonic_clock,
    filesystem::{
        preopens,
        types::{self, Descriptor},
    },
    io::streams::StreamError,
    random::random,
    sockets::{
        instance_network, ip_name_lookup,
        network::{ErrorCode, IpAddressFamily},
        tcp_create_socket, udp_create_socket,
    },
};

/// The available parts of WASI.
#[derive(Serialize)]
pub(crate) struct World {
    environment: Vec<(String, String)>,
    arguments: Vec<String>,
    folder: Option<String>,
    preopens: usize,
    tcp: String,
    udp: String,
    name: String,
    random: usize,
    clock: bool,
}

pub(crate) fn explore() -> World {
    let out = stdout::get_stdout();
    // In pieces, as programs do; the last line has no end.
    for piece in ["said on ", "stdout\nand ", "more"] {
        let _ = out.blocking_write_and_flush(piece.as_bytes());
    }
    let network = instance_network::instance_network();
    let before = monotonic_clock::now();
    monotonic_clock::subscribe_duration(1_000_000).block();
    World {
        environment: environment::get_environment(),
        arguments: environment::get_arguments(),
        folder: environment::initial_cwd(),
        preopens: preopens::get_directories().iter().filter(|(folder, _)| read(folder)).count(),
        tcp: outcome(tcp_create_socket::create_tcp_socket(IpAddressFamily::Ipv4).and_then(|socket| {
            socket.subscribe().block();
            socket.finish_connect()
        })),
        udp: outcome(udp_create_socket::create_udp_socket(IpAddressFamily::Ipv4)),
        name: outcome(ip_name_lookup::resolve_addresses(&network, "localhost")),
        random: random::get_random_bytes(16).len(),
        clock: monotonic_clock::now() > before + 1_000_000,
    }
}

/// Reads a file in the usual way.
fn read(file: &Descriptor) -> bool {
    let stream = file.read_via_stream(0);
    let result = stream.map(|stream| match stream.read(10) {
        Err(StreamError::LastOperationFailed(error)) => types::filesystem_error_code(&error).is_none(),
        _ => true,
    });
    result.unwrap_or(true)
}

/// Writes two hundred lines to stderr.
pub(crate) fn complain() {
    let err = stderr::get_stderr();
    for number in 0..200 {
        let _ = err.blocking_write_and_flush(format!("complaint {number}\n").as_bytes());
    }
}

/// Waits for this time, if the host allows it.
pub(crate) fn sleep(milliseconds: u64) {
    monotonic_clock::subscribe_duration(milliseconds * 1_000_000).block();
}

fn outcome<T>(result: Result<T, ErrorCode>) -> String {
    result.map_or_else(|error| error.name().to_owned(), |_| "there is one".to_owned())
}
