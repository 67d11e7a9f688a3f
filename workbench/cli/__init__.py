"""The console command `workbench`: one frozen dataclass a command."""
