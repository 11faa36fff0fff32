//! Connections of clients.

use std::{sync::Arc, time::Duration};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{
    net::{TcpListener, TcpStream},
    select,
    sync::oneshot,
    task::JoinSet,
    time::sleep,
};
use tokio_rustls::TlsAcceptor;

use super::{
    Shared, exchange,
    link::{Reset, Wire},
};

/// Serves clients until it is told to stop, or nobody is left who could tell it.
pub(super) async fn serve(
    listener: TcpListener,
    tls: TlsAcceptor,
    shared: Arc<Shared>,
    mut stop: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        select! {
            _ = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => drop(connections.spawn(connection(tcp, tls.clone(), Arc::clone(&shared)))),
                // Out of descriptors, most likely: there are some again when connections end.
                Err(_) => sleep(Duration::from_millis(10)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    connections.shutdown().await;
}

async fn connection(tcp: TcpStream, tls: TlsAcceptor, shared: Arc<Shared>) {
    let mut cuts = shared.line.cuts();
    let reset = Reset::default();
    tcp.set_nodelay(true).ok();
    let wire = Wire::new(tcp, Arc::clone(&shared.line), reset.clone());
    if shared.line.is_down() {
        reset.set();
        return;
    }
    let cut = async {
        cuts.changed().await.ok();
        // Here, not in the branch: by then the connection is gone.
        reset.set();
    };
    // The cut first: after it nothing of the connection goes on.
    select! {
        biased;
        () = cut => {}
        () = requests(wire, tls, Arc::clone(&shared), reset.clone()) => {}
    }
}

async fn requests(wire: Wire, tls: TlsAcceptor, shared: Arc<Shared>, reset: Reset) {
    let Ok(stream) = tls.accept(wire).await else { return };
    let chain = stream.get_ref().1.peer_certificates();
    let known = chain.and_then(|chain| shared.known(chain.first()?));
    let service = service_fn(|request| {
        let (shared, known, reset) = (Arc::clone(&shared), known.clone(), reset.clone());
        async move {
            let answer = exchange::answer(shared, known, request).await;
            if answer.is_err() {
                reset.set();
            }
            answer
        }
    });
    // How it ends is seen by the client; a fault may be why.
    http1::Builder::new().auto_date_header(false).serve_connection(TokioIo::new(stream), service).await.ok();
}
