"""Agents: a base class and one final class a method."""
