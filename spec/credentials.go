package spec

// github reads where credentials are. They are root's: whoever can write to
// such a file chooses who benchctl is at GitHub.
func (l *loader) github(f *field, home string) GitHub {
	token, app := f.get("tokenFile"), f.get("app")
	g := GitHub{TokenFile: l.rootFile(token, home)}
	if app.has() {
		g.App = &App{
			ID:           app.get("id").number(),
			Installation: app.get("installation").number(),
			KeyFile:      l.rootFile(app.get("keyFile"), home),
		}
	}
	if token.has() && app.has() {
		l.fault(app, "keep one of the two", "credentials come from tokenFile or from app, not from both")
	}
	return g
}
