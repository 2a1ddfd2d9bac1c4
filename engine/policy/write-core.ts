/** Run by the build: writes the bundle of the engine's own rules beside the built files, so that no start has to make it. */
import { writeFileSync } from 'node:fs';
import { bundleCore } from './bundle.ts';
import { CORE_BUNDLE_FILE } from './core.ts';

writeFileSync(CORE_BUNDLE_FILE, (await bundleCore()).source);
