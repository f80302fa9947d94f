/// What an empty board says.
pub static WELCOME: [&str; 12] = [
    "No runs yet.",
    "",
    "Press N for the launch form, or leave with q and queue some:",
    "",
    "  tuneboard sweep model=minilm data=data/sms_spam.csv lr=2e-5,5e-5 epochs=1,2",
    "  tuneboard run model=minilm data=data/sms_spam.csv",
    "",
    "or see it work from nothing:",
    "",
    "  make demo",
    "",
    "They appear here as soon as they are queued.",
];
