import { describe, expect, it } from 'vitest';
import { de } from './de';
import { en } from './en';
import { format } from './index';

describe('texts', () => {
	it('puts parameters in and chooses the form by number', () => {
		const forms = { zero: 'nothing', one: '{count} task', other: '{count} tasks' };
		expect(format(forms, { count: 0 }, 'en')).toBe('nothing');
		expect(format(forms, { count: 1 }, 'en')).toBe('1 task');
		expect(format(forms, { count: 1200 }, 'de')).toBe('1.200 tasks');
		expect(format('Hello {name}, {missing}', { name: 'Ada' }, 'en')).toBe('Hello Ada, {missing}');
	});

	it('has the same keys and the same parameters in both languages', () => {
		expect(Object.keys(de).sort()).toEqual(Object.keys(en).sort());
		const names = (message: unknown) => [...new Set(JSON.stringify(message).match(/\{\w+\}/g) ?? [])].sort();
		for (const key of Object.keys(en) as (keyof typeof en)[]) {
			expect(names(de[key]), key).toEqual(names(en[key]));
		}
	});
});
