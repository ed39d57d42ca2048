//! What an interrupt (Ctrl-C) does to an apply.

use std::sync::Arc;

use planner::Interrupt;

use crate::json_views::stream::Event;
use crate::render::wrap::word_wrap;
use crate::ui::Ui;

const FIRST: &str =
    "\nInterrupt received.\nPlease wait for Terraform to exit or data loss may occur.\nGracefully shutting down...\n";
const STOPPING: &str = "Stopping operation...";
const SECOND: &str = "\nTwo interrupts received. Exiting immediately. Note that data loss may have occurred.\n";

/// The first interrupt asks to stop: what runs comes to its end. The second gives up what runs and saves what is known;
/// the journal holds what the next run has to look after. The third doesn't even wait for the state to be saved.
pub async fn watch(ui: Arc<Ui>, interrupt: Interrupt) {
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    interrupt.request();
    if ui.settings.json {
        ui.event(&Event::new("log", FIRST));
        ui.event(&Event::new("log", STOPPING));
    } else {
        ui.print(&format!("{FIRST}\n{STOPPING}\n"));
    }
    if tokio::signal::ctrl_c().await.is_err() {
        return;
    }
    interrupt.abandon();
    if ui.settings.json {
        ui.event(&Event::new("log", SECOND));
    } else {
        ui.eprint(&format!("{}\n", word_wrap(SECOND, ui.width)));
    }
    if tokio::signal::ctrl_c().await.is_ok() {
        std::process::exit(1);
    }
}
