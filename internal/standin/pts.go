package standin

import (
	_ "embed"
	"strings"
)

//go:embed pts.php
var ptsProgram string

// DebPTS makes a stand-in of the Phoronix Test Suite's package. Like the real
// one it depends on php-cli and php-xml, and rewrites its user's
// user-config.xml whenever it runs: what is set stays, what is missing gets the
// shipped default, and the text is laid out anew.
func DebPTS(version string) (Asset, error) {
	deb := Deb{
		Name: "phoronix-test-suite", Version: version, Arch: "all", Depends: "php-cli, php-xml",
		Description: "stand-in for the Phoronix Test Suite",
		Files: []File{
			{Path: "/usr/bin/phoronix-test-suite", Mode: 0o755, Data: strings.ReplaceAll(ptsProgram, "{{VERSION}}", version)},
			{Path: "/usr/share/phoronix-test-suite/pts-core/pts-core.php", Mode: 0o644, Data: "<?php // stand-in\n"},
		},
	}
	data, err := deb.Build()
	if err != nil {
		return Asset{}, err
	}
	return Asset{Name: deb.FileName(), Data: data}.digested()
}

// PublishPTS publishes the package as a release of the suite's repository.
func (s *Server) PublishPTS(version string) (Asset, error) {
	asset, err := DebPTS(version)
	if err != nil {
		return Asset{}, err
	}
	return asset, s.AddRelease("phoronix-test-suite/phoronix-test-suite", "v"+version, "", asset)
}
