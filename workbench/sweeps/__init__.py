"""Many runs from one file: agents x tasks x seeds x weights, trained and evaluated; run folders are the ledger."""
