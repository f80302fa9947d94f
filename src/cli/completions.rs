use clap_complete::Shell;

use super::error::CliError;
use super::exit;
use super::verb::Context;

/// Print a completion script for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tuneboard completions bash > ~/.local/share/bash-completion/completions/tuneboard
  tuneboard completions zsh > ~/.zfunc/_tuneboard
  tuneboard completions fish > ~/.config/fish/completions/tuneboard.fish")]
pub struct Args {
    /// The shell
    shell: Shell,
}

/// `tuneboard completions`; `command` is the whole command line.
pub fn run(args: Args, mut command: clap::Command, context: &mut Context) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "tuneboard", &mut script);
    context.out.raw(&script)?;
    Ok(exit::OK)
}
