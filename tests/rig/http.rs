//! A client for the sink's page: one request, one connection.

use std::net::SocketAddr;

use anyhow::Result;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http_body_util::BodyExt;
use hyper::client::conn::http1::handshake;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Sends a request as it is; the answer's body may go on for ever.
///
/// # Errors
/// Nobody listens there, or the connection ends.
pub async fn forward(to: SocketAddr, request: Request) -> Result<Response> {
    let stream = TcpStream::connect(to).await?;
    let (mut client, connection) = handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(client.send_request(request).await?.map(Body::new))
}

/// The whole body as text.
///
/// # Errors
/// The connection ends in its middle.
pub async fn text(response: Response) -> Result<String> {
    Ok(String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()).into_owned())
}
