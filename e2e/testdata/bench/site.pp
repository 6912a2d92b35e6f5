# The state that runner.yaml asks for, as somebody who knows Puppet would have
# it. What no built-in type can do costs one command. $unit and $files are set
# by the bench, which puts them before this text.
$home = '/var/lib/gha-runner'
$dir = "${home}/actions-runner"

user { 'gha-runner':
  ensure     => present,
  system     => true,
  home       => $home,
  shell      => '/usr/sbin/nologin',
  managehome => false,
}

package { ['libicu76', 'libssl3t64', 'libkrb5-3', 'zlib1g', 'libstdc++6', 'ca-certificates', 'git',
  'openjdk-21-jdk-headless', 'phoronix-test-suite', 'php-gd', 'php-zip', 'php-bz2']:
  ensure => installed,
}

file { [$home, $dir]:
  ensure => directory,
  owner  => 'root',
  group  => 'gha-runner',
  mode   => '1770',
}

exec { 'tarball':
  command  => '/bin/false',
  provider => shell,
  onlyif   => "find ${dir}/bin/ ${dir}/externals/ -newer ${dir}/.benchctl-manifest | grep -q .",
}

$files.each |$name| {
  file { $name:
    ensure => file,
    source => "/opt/bench${name}",
  }
}

exec { 'knobs':
  command  => '/bin/false',
  provider => shell,
  onlyif   => "grep -hxvE 'performance|1' /sys/devices/system/cpu/cpufreq/policy*/scaling_governor /proc/sys/kernel/perf_event_paranoid",
}

service { $unit:
  ensure => running,
  enable => true,
}
