//! Tests that pauses and back-off do not depend on the system's clock, which is changed while the program runs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant},
};

use fake_telegram::Fault;

use super::stage::{Stage, ada, event};
use crate::harness::Server;

/// A library that adds the seconds in a file to the time of day.
const SOURCE: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
int clock_gettime(clockid_t id, struct timespec *now) {
    static int (*real)(clockid_t, struct timespec *);
    if (!real) real = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int result = real(id, now);
    if (id == CLOCK_REALTIME) {
        long offset = 0;
        FILE *file = fopen(getenv("CLOCK_OFFSET"), "r");
        if (file) { if (fscanf(file, "%ld", &offset) != 1) offset = 0; fclose(file); }
        now->tv_sec += offset;
    }
    return result;
}
"#;

/// Compiles the library; returns `None` if there is no C compiler.
fn library(folder: &Path) -> Option<PathBuf> {
    let (source, library) = (folder.join("clock.c"), folder.join("clock.so"));
    fs::write(&source, SOURCE).unwrap();
    let built =
        Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    built.ok().filter(std::process::ExitStatus::success).map(|_| library)
}

fn hears(stage: &Stage, server: &mut Server, text: &str) {
    stage.platform.says(&ada(), &ada().chat(), text);
    assert_eq!(event(server).0, text);
}

#[test]
#[cfg(target_os = "linux")]
fn a_clock_that_jumps_holds_nothing_up() {
    let stage = Stage::new();
    let Some(library) = library(stage.home.path()) else {
        return eprintln!("SKIPPED a_clock_that_jumps_holds_nothing_up: there is no C compiler");
    };
    let offset = stage.home.path().join("offset");
    let jump = |seconds: i64| fs::write(&offset, seconds.to_string()).unwrap();
    jump(0);
    let mut command = stage.command();
    command.env("LD_PRELOAD", library).env("CLOCK_OFFSET", &offset);
    let mut server = Server::start(command);
    server.initialize();
    hears(&stage, &mut server, "now");
    for seconds in [86_400, -3 * 86_400, 0, 400 * 86_400, -400 * 86_400] {
        jump(seconds);
        hears(&stage, &mut server, &format!("{seconds} s away"));

        // A pause is as long as it was meant to be.
        stage.platform.fault(Fault::too_many_requests(1).on("sendMessage"));
        let begun = Instant::now();
        let sending = thread::scope(|scope| {
            scope.spawn(|| {
                thread::sleep(Duration::from_millis(300));
                jump(-seconds);
            });
            server.reply("42", "patience")
        });
        assert!(!sending.1, "{}", sending.0);
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(10), "{took:?}");

        // So is the time until it is asked again.
        stage.platform.stop();
        thread::sleep(Duration::from_millis(300));
        jump(seconds);
        stage.platform.restart();
        let begun = Instant::now();
        hears(&stage, &mut server, &format!("back, {seconds} s away"));
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    }
    let status = stage.status();
    assert_eq!(status["refusals"].as_array().unwrap().len(), 0, "{status}");
}
