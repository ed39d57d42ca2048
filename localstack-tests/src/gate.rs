//! A way to a server that can be closed: what a partition between two machines looks like from either side.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::HarnessError;

/// A port that leads to another one. Closed, it goes on taking connections and bytes, and passes none on.
pub struct Gate {
    /// Where it listens on loopback.
    pub port: u16,
    closed: Arc<(Mutex<bool>, Condvar)>,
}

impl Gate {
    /// An open gate to a port of loopback.
    pub fn start(upstream: u16) -> Result<Gate, HarnessError> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(HarnessError::run("gate"))?;
        let port = listener.local_addr().map_err(HarnessError::run("gate"))?.port();
        let closed = Arc::new((Mutex::new(false), Condvar::new()));
        let shared = closed.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || connect(client, upstream, &shared));
            }
        });
        Ok(Gate { port, closed })
    }

    /// Lets nothing more through.
    pub fn close(&self) {
        self.set(true);
    }

    /// Lets everything through that has been waiting.
    pub fn open(&self) {
        self.set(false);
    }

    fn set(&self, closed: bool) {
        *self.closed.0.lock().unwrap_or_else(PoisonError::into_inner) = closed;
        self.closed.1.notify_all();
    }
}

fn connect(client: TcpStream, upstream: u16, closed: &Arc<(Mutex<bool>, Condvar)>) -> io::Result<()> {
    let server = TcpStream::connect(("127.0.0.1", upstream))?;
    let (from, to) = (client.try_clone()?, server.try_clone()?);
    let shared = closed.clone();
    let up = std::thread::spawn(move || pass_on(from, to, &shared));
    let down = pass_on(server, client, closed);
    up.join().unwrap_or(Ok(())).and(down)
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, closed: &(Mutex<bool>, Condvar)) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer);
        let guard = closed.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(closed.1.wait_while(guard, |closed| *closed).unwrap_or_else(PoisonError::into_inner));
        match length {
            Ok(length) if length > 0 => to.write_all(buffer.get(..length).unwrap_or_default())?,
            // Ends the other direction as well.
            _ => return to.shutdown(std::net::Shutdown::Both),
        }
    }
}
