import { writeTypes } from './plugin';

writeTypes();
