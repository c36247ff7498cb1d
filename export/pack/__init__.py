"""What a web host or the developer of an app takes: components, vectors, a note."""
