//! Local sockets in the state folder, by which the agent's commands speak with the running one.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Mutex, mpsc, watch};
use wire::audit::AuditKind;

use crate::audit::{Deed, Pen};
use crate::intake::associations::{Register, Wish};
use crate::line::probe::Asking;
use crate::seal::keep;
use crate::tap::{self, Ask, Taps, Told};

/// Says the newest status.
pub const STATUS: &str = "status.sock";
/// Sends a probe along the line and says when each hop is done.
pub const TEST: &str = "test.sock";

/// An onlooker who takes nothing for so long is gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// What somebody asks to see is short.
const ASK_BYTES_MAX: u64 = 1024;
/// Between two looks whether our socket still stands in its place.
const LOOK: Duration = Duration::from_secs(2);

/// Says whom devices measure.
pub const PATIENTS: &str = "patients.sock";

/// Shows what devices say.
pub const TAP: &str = "tap.sock";

/// Answers every connection with the newest status and closes it.
pub async fn serve_status(state: PathBuf, screen: watch::Receiver<String>) {
    serve(&state.join(STATUS), LOOK, |stream| {
        tokio::spawn(say(stream, screen.borrow().clone()));
    })
    .await;
}

/// Sends a probe for every connection; each hop is a line of JSON.
pub async fn serve_test(state: PathBuf, asking: Asking) {
    serve(&state.join(TEST), LOOK, |stream| {
        tokio::spawn(follow(stream, asking.clone()));
    })
    .await;
}

/// Carries out what every connection says of patients.
pub async fn serve_patients(state: PathBuf, register: Register) {
    let register = Arc::new(Mutex::new(register));
    register.lock().await.begin().await;
    serve(&state.join(PATIENTS), LOOK, |stream| {
        tokio::spawn(associate(stream, register.clone()));
    })
    .await;
}

async fn associate(stream: UnixStream, register: Arc<Mutex<Register>>) {
    let (reader, mut writer) = stream.into_split();
    let mut text = String::new();
    let mut reader = BufReader::new(reader.take(ASK_BYTES_MAX));
    let asked = tokio::time::timeout(LOOK, reader.read_line(&mut text)).await;
    let Ok(wish) = serde_json::from_str::<Wish>(&text) else {
        tracing::debug!(?asked, "somebody does not say what to do with patients");
        return;
    };
    let answer = register.lock().await.carry_out(wish).await;
    let line = serde_json::to_string(&answer).unwrap_or_default() + "\n";
    if writer.write_all(line.as_bytes()).await.is_err() {
        tracing::debug!("somebody asked and did not wait");
    }
}

/// Shows every connection what it asks to see, and writes down who looks at values.
pub async fn serve_tap(state: PathBuf, taps: Taps, pen: Pen) {
    serve(&state.join(TAP), LOOK, |stream| {
        tokio::spawn(show(stream, taps.clone(), pen.clone()));
    })
    .await;
}

async fn say(mut stream: UnixStream, text: String) {
    if stream.write_all(text.as_bytes()).await.is_err() {
        tracing::debug!("somebody asked and did not wait");
    }
}

async fn follow(stream: UnixStream, asking: Asking) {
    let (told, mut hops) = mpsc::unbounded_channel();
    if asking.try_send(told).is_err() {
        return;
    }
    let (mut reader, mut writer) = stream.into_split();
    let mut nothing = [0; 1];
    loop {
        tokio::select! {
            hop = hops.recv() => {
                let Some(hop) = hop else { return };
                let line = serde_json::to_string(&hop).unwrap_or_default() + "\n";
                if writer.write_all(line.as_bytes()).await.is_err() {
                    return;
                }
            }
            // Whoever asked says nothing more, and has gone when this ends.
            _ = reader.read(&mut nothing) => return,
        }
    }
}

async fn show(stream: UnixStream, taps: Taps, pen: Pen) {
    let uid = stream.peer_cred().ok().map(|who| who.uid());
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader.take(ASK_BYTES_MAX));
    let mut text = String::new();
    let asked = tokio::time::timeout(LOOK, reader.read_line(&mut text)).await;
    let Ok(ask) = serde_json::from_str::<Ask>(&text) else {
        tracing::debug!(?asked, "somebody does not say what to show");
        return;
    };
    let Some(mut chunks) = taps.look(&ask) else { return };
    if ask.phi {
        let device = ask.device.as_deref().unwrap_or("all");
        tracing::warn!(uid, device, "somebody looks at values; the sink is told");
        let who = uid.map_or_else(|| "somebody".to_owned(), |uid| format!("user {uid}"));
        pen.write(Deed::new(AuditKind::Values, device, format!("{who} looked, live")));
    }
    let mut told = vec![Told::Following { schema: 1 }];
    let mut nothing = [0; 1];
    loop {
        for told in told.drain(..) {
            let line = serde_json::to_string(&told).unwrap_or_default() + "\n";
            // Whoever does not read keeps no place from others.
            let written = tokio::time::timeout(PATIENCE, writer.write_all(line.as_bytes())).await;
            if !matches!(written, Ok(Ok(()))) {
                return;
            }
        }
        tokio::select! {
            chunk = chunks.recv() => match chunk {
                Ok(chunk) => told.extend(tap::shown(&chunk, &ask).into_iter().map(Told::Said)),
                Err(RecvError::Lagged(chunks)) => told.push(Told::Missed { schema: 1, chunks }),
                Err(RecvError::Closed) => return,
            },
            // Whoever asked says nothing more, and has gone when this ends.
            _ = reader.read(&mut nothing) => return,
        }
    }
}

/// Takes connections for ever. A socket that is gone, as after its medium was mounted again, is
/// made anew.
async fn serve(path: &Path, look: Duration, take: impl Fn(UnixStream)) {
    loop {
        match listen(path).await {
            Ok(listener) => accept(&listener, path, look, &take).await,
            Err(error) => tracing::warn!(path = %path.display(), %error, "no local socket"),
        }
        tokio::time::sleep(look).await;
    }
}

async fn listen(path: &Path) -> std::io::Result<UnixListener> {
    let removed = tokio::fs::remove_file(path).await;
    if removed.is_err_and(|error| error.kind() != std::io::ErrorKind::NotFound) {
        keep::set_aside(path);
    }
    UnixListener::bind(path)
}

/// Takes connections while the socket stands in its place.
async fn accept(listener: &UnixListener, path: &Path, look: Duration, take: impl Fn(UnixStream)) {
    let place = || path.symlink_metadata().ok().map(|meta| (meta.dev(), meta.ino()));
    let bound = place();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((stream, _)) = accepted else { return };
                take(stream);
            }
            () = tokio::time::sleep(look) => {
                if place() != bound {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_that_is_gone_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.sock");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let ask = async || loop {
            let Ok(mut stream) = UnixStream::connect(&path).await else {
                tokio::task::yield_now().await;
                continue;
            };
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            break text;
        };

        runtime.block_on(async {
            let served = path.clone();
            let serving = tokio::spawn(async move {
                let take = |stream| drop(tokio::spawn(say(stream, "good".into())));
                serve(&served, Duration::from_millis(1), take).await;
            });
            assert_eq!(ask().await, "good");
            std::fs::remove_file(&path).unwrap();

            assert_eq!(ask().await, "good");
            serving.abort();
        });
    }
}
