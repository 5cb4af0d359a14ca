//! TCP between two threads over 127.0.0.1.

use benches::per_operation;
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

fn pair() -> Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    Ok((client, server))
}

/// One direction, 64 KiB a write; `argument` MiB in all; MB/s.
pub(crate) fn stream(argument: &str) -> Result<f64> {
    let total = argument.parse().unwrap_or(256_usize) << 20;
    let (mut client, mut server) = pair()?;
    let start = Instant::now();
    let writer = thread::spawn(move || -> Result<()> {
        let block = vec![1; 65536];
        for _ in 0..total / block.len() {
            client.write_all(&block)?;
        }
        Ok(())
    });
    let mut block = vec![0; 65536];
    let mut received = 0;
    while received < total {
        match server.read(&mut block)? {
            0 => return Err(std::io::Error::other("the stream ended early")),
            n => received += n,
        }
    }
    writer.join().map_err(|_| std::io::Error::other("the writer failed"))??;
    #[allow(clippy::cast_precision_loss, reason = "a figure to print")]
    Ok(total as f64 / 1e6 / start.elapsed().as_secs_f64())
}

/// 64 bytes there and back, with `argument` idle connections beside; nanoseconds.
pub(crate) fn round_trip(argument: &str) -> Result<f64> {
    let idle: usize = argument.parse().unwrap_or(0);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut kept = Vec::with_capacity(idle);
    for _ in 0..idle {
        kept.push((TcpStream::connect(listener.local_addr()?)?, listener.accept()?.0));
    }
    let (mut client, mut server) = pair()?;
    let echo = thread::spawn(move || {
        let mut message = [0; 64];
        while server.read_exact(&mut message).is_ok() && server.write_all(&message).is_ok() {}
    });
    let mut message = [5; 64];
    let figure = per_operation(500, || {
        client.write_all(&message)?;
        client.read_exact(&mut message)
    });
    drop(client);
    echo.join().map_err(|_| std::io::Error::other("the echo failed"))?;
    figure
}

/// Connect, accept, close both; connections per second.
pub(crate) fn connections(_: &str) -> Result<f64> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let each = per_operation(200, || {
        let client = TcpStream::connect(address)?;
        let (server, _) = listener.accept()?;
        drop((client, server));
        Ok(())
    })?;
    Ok(1e9 / each)
}
