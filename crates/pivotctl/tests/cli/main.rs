//! The program as people call it. Everything here ends before a cluster is asked.

mod environment;
mod test_check;
mod test_color;
mod test_completion;
mod test_describe;
mod test_error_pages;
mod test_generate;
mod test_global;
mod test_kubeconfig;
mod test_leases;
mod test_links;
mod test_move;
mod test_plan_file;
mod test_recovery;
mod test_version;
