#!/usr/bin/env php
<?php
// Stand-in for the Phoronix Test Suite: it keeps its configuration as the real one does.

const SHIPPED = [
    'OpenBenchmarking/AnonymousUsageReporting' => 'TRUE',
    'OpenBenchmarking/AllowResultUploadsToOpenBenchmarking' => 'TRUE',
    'OpenBenchmarking/AlwaysUploadSystemLogs' => 'FALSE',
    'General/DefaultBrowser' => '',
    'Installation/PromptForDownloadMirror' => 'FALSE',
    'Testing/AlwaysUploadResultsToOpenBenchmarking' => 'FALSE',
    'TestResultValidation/DynamicRunCount' => 'TRUE',
    'TestResultValidation/StandardDeviationThreshold' => '2.5',
    'BatchMode/SaveResults' => 'TRUE',
    'BatchMode/OpenBrowser' => 'FALSE',
    'BatchMode/UploadResults' => 'TRUE',
    'BatchMode/PromptForTestIdentifier' => 'TRUE',
    'BatchMode/PromptForTestDescription' => 'TRUE',
    'BatchMode/PromptSaveName' => 'TRUE',
    'BatchMode/RunAllTestCombinations' => 'TRUE',
    'BatchMode/Configured' => 'FALSE',
];

// The system's file counts only for those who may write it.
function config_path(): string
{
    $system = '/etc/phoronix-test-suite.xml';
    if (is_writable($system)) {
        return $system;
    }
    return getenv('HOME') . '/.phoronix-test-suite/user-config.xml';
}

function child(DOMElement $parent, string $name): DOMElement
{
    foreach ($parent->childNodes as $node) {
        if ($node instanceof DOMElement && $node->tagName === $name) {
            return $node;
        }
    }
    return $parent->appendChild($parent->ownerDocument->createElement($name));
}

// Reads the configuration, fills in what is missing and writes all of it again.
function rewrite(string $path): array
{
    $document = new DOMDocument('1.0');
    $document->preserveWhiteSpace = false;
    $document->formatOutput = true;
    if (!is_file($path) || !@$document->load($path)) {
        $document->appendChild($document->createElement('PhoronixTestSuite'));
    }
    $options = child($document->documentElement, 'Options');
    $settings = [];
    foreach (SHIPPED as $key => $default) {
        [$section, $name] = explode('/', $key);
        $element = child(child($options, $section), $name);
        if ($element->textContent === '' && $default !== '') {
            $element->appendChild($document->createTextNode($default));
        }
        $settings[$key] = $element->textContent;
    }
    @mkdir(dirname($path), 0755, true);
    $document->save($path);
    return $settings;
}

$settings = rewrite(config_path());
$command = $argv[1] ?? 'help';
if ($command === 'version') {
    echo "\nPhoronix Test Suite v{{VERSION}}\n\n";
} elseif ($command === 'batch-benchmark' && $settings['BatchMode/Configured'] !== 'TRUE') {
    echo "\nThe batch mode must first be configured.\nRun: phoronix-test-suite batch-setup\n\n";
    exit(1);
} elseif ($command === 'batch-benchmark') {
    echo "\nRunning in batch mode\nUpload results: {$settings['BatchMode/UploadResults']}\n\n";
}
