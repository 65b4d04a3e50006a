import { writeTypes } from './plugin.ts';

writeTypes();
