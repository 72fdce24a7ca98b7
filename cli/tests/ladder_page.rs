//! The ladder's page in a real browser: it fits a phone, has its bars, and follows the reader's
//! choice of light or dark.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use common::Place;
use serde_json::Value;

/// A phone's width in CSS pixels.
const PHONE: u32 = 390;

/// Loads the page in a frame of a phone's width, and writes down what it looks like.
const HARNESS: &str = r#"<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,">
<style>body { margin: 0 } iframe { border: 0; width: WIDTHpx; height: 3000px }</style>
<iframe></iframe><pre></pre>
<script>
const frame = document.querySelector("iframe");
frame.onload = () => {
  const page = frame.contentDocument;
  const wide = element => element.getBoundingClientRect().width;
  const outside = [...page.querySelectorAll("main *")].filter(element =>
    !element.closest(".scroll") && !element.closest("pre") &&
    element.getBoundingClientRect().right > WIDTH + 1);
  document.querySelector("pre").textContent = JSON.stringify({
    width: page.documentElement.scrollWidth,
    bars: [...page.querySelectorAll(".bar")].map(wide),
    stages: [...page.querySelectorAll(".stack > span")].map(wide),
    outside: outside.map(element => element.outerHTML.slice(0, 80)),
    ground: frame.contentWindow.getComputedStyle(page.body).backgroundColor,
  });
};
frame.srcdoc = PAGE;
</script>"#;

/// The browser.
fn browser() -> &'static str {
    let runs = |name: &&str| {
        let mut command = Command::new(name);
        command
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let there = names.into_iter().find(runs);
    there.expect("a browser; `cargo xtask test` installs the package chromium")
}

/// What the page looks like, and a picture of it.
fn look(place: &Place, dark: bool) -> (Value, Vec<u8>) {
    let page = serde_json::to_string(&place.text("ladder.html")).unwrap();
    let page = page.replace("</", "<\\/");
    let harness = HARNESS
        .replace("WIDTH", &PHONE.to_string())
        .replace("PAGE", &page);
    let file = place.write("harness.html", harness);
    let url = format!("file://{}", file.display());
    let picture = place.path("picture.png");
    let scheme = format!(
        "--blink-settings=preferredColorScheme={}",
        if dark { 0 } else { 1 }
    );
    let run = |last: &[&str]| {
        let mut command = Command::new(browser());
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
        ]);
        command.args(["--enable-logging=stderr", "--window-size=600,3000"]);
        command.args(["--virtual-time-budget=5000", &scheme]);
        command.arg(format!(
            "--user-data-dir={}",
            place.path("profile").display()
        ));
        let output = command.args(last).arg(&url).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        assert!(!said.contains(":CONSOLE"), "the console says: {said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let dumped = run(&["--dump-dom"]);
    let found = dumped
        .split_once("<pre>")
        .and_then(|(_, rest)| rest.split_once("</pre>"));
    let found = found.unwrap_or_else(|| panic!("{dumped}")).0;
    let found = found
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    run(&[&format!("--screenshot={}", picture.display())]);
    (
        serde_json::from_str(&found).unwrap(),
        fs::read(picture).unwrap(),
    )
}

fn climb(place: &Place) {
    let arguments = [
        "ladder",
        "--vectors",
        "2000",
        "--dim",
        "16",
        "--batch",
        "1,1000",
        "--rounds",
        "1",
        "--seconds",
        "0.05",
        "--path",
        ".",
        "--html",
        "ladder.html",
        "--door",
        "engine,embedded,http-json-cold,http-json,http-msgpack,grpc",
    ];
    place.ok(&arguments);
    assert!(Path::new(&place.path("ladder.html")).exists());
}

#[test]
fn the_page_fits_a_phone_and_shows_its_bars() {
    let place = Place::new();
    climb(&place);
    let (light, light_picture) = look(&place, false);
    // What the scroll bar leaves may be less.
    assert!(
        light["width"].as_u64().unwrap() <= u64::from(PHONE),
        "{light}"
    );
    assert!(light["outside"].as_array().unwrap().is_empty(), "{light}");
    let widths = |name: &str| -> Vec<f64> {
        let widths = light[name].as_array().unwrap().iter();
        widths.map(|width| width.as_f64().unwrap()).collect()
    };
    // Six doors, writes of two sizes and searches of two.
    let bars = widths("bars");
    assert_eq!(bars.len(), 24);
    assert!(bars.iter().all(|width| *width >= 2.0), "{bars:?}");
    let longest = bars.iter().copied().fold(0.0, f64::max);
    assert!(longest > 60.0, "{bars:?}");
    assert!(widths("stages").iter().any(|width| *width > 20.0));

    let (dark, dark_picture) = look(&place, true);
    assert_ne!(light["ground"], dark["ground"]);
    for picture in [&light_picture, &dark_picture] {
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 20_000);
    }
    assert_ne!(light_picture, dark_picture);
}
