//! One publisher to many subscribers.

use crate::report::Report;

#[derive(clap::Args)]
pub struct Options {
    /// Subscribers of the one publisher
    #[arg(long, default_value_t = 200)]
    subscribers: usize,
}

#[derive(clap::Args)]
pub struct ServerOptions {}

pub fn run(options: &Options) -> anyhow::Result<Report> {
    anyhow::bail!("not measured yet for {} subscribers", options.subscribers)
}

pub fn serve(_options: &ServerOptions) -> anyhow::Result<()> {
    Ok(())
}
